package validate

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

func define(names ...string) []api.AttributeDefinition {
	out := make([]api.AttributeDefinition, len(names))
	for i, n := range names {
		out[i] = api.AttributeDefinition{AttributeName: str(n), AttributeType: str("S")}
	}
	return out
}

// keySchema makes a key schema of names with the type behind a colon; HASH, RANGE by default.
func keySchema(parts ...string) []api.KeySchemaElement {
	out := make([]api.KeySchemaElement, len(parts))
	for i, p := range parts {
		typ := "HASH"
		if i > 0 {
			typ = "RANGE"
		}
		var name string
		if n, _ := fmt.Sscanf(p, "%1s:%s", &name, &typ); n < 2 {
			name = p
		}
		out[i] = api.KeySchemaElement{AttributeName: str(name), KeyType: str(typ)}
	}
	return out
}

func all() *api.Projection { return &api.Projection{ProjectionType: str("ALL")} }

func units(read, write int64) *api.ProvisionedThroughput {
	return &api.ProvisionedThroughput{ReadCapacityUnits: num(read), WriteCapacityUnits: num(write)}
}

func lsi(name string, key ...string) api.LocalSecondaryIndex {
	return api.LocalSecondaryIndex{IndexName: str(name), KeySchema: keySchema(key...), Projection: all()}
}

func gsi(name string, key ...string) api.GlobalSecondaryIndex {
	return api.GlobalSecondaryIndex{IndexName: str(name), KeySchema: keySchema(key...), Projection: all()}
}

func onDemand(key ...string) *api.CreateTableInput {
	return &api.CreateTableInput{
		TableName: str("Tab"), BillingMode: str("PAY_PER_REQUEST"),
		KeySchema: keySchema(key...), AttributeDefinitions: define("a", "b", "c"),
	}
}

const inv = "One or more parameter values were invalid: "

// Rows of wire-facts §6.1.
func TestCreateTableStatic(t *testing.T) { //nolint:funlen // one table
	for _, tc := range []struct {
		row  string
		edit func(*api.CreateTableInput)
		want string
	}{
		{"4", func(in *api.CreateTableInput) { in.ProvisionedThroughput = units(1, 1) },
			inv + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is " +
				"PAY_PER_REQUEST"},
		{"5", func(in *api.CreateTableInput) { in.BillingMode = api.Opt[string]{} },
			inv + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is " +
				"PROVISIONED"},
		{"6 read", func(in *api.CreateTableInput) {
			in.BillingMode, in.ProvisionedThroughput = str("PROVISIONED"), units(1_000_000_000_001, 1_000_000_000_001)
		}, "Given value 1000000000001 for ReadCapacityUnits is out of bounds"},
		{"6 write", func(in *api.CreateTableInput) {
			in.BillingMode, in.ProvisionedThroughput = str("PROVISIONED"), units(1_000_000_000_000, 1_000_000_000_001)
		}, "Given value 1000000000001 for WriteCapacityUnits is out of bounds"},
		{"7", func(in *api.CreateTableInput) { in.AttributeDefinitions = define("a") },
			"Invalid KeySchema: Some index key attribute have no definition"},
		{"8", func(in *api.CreateTableInput) { in.KeySchema = keySchema("a", "x") },
			inv + "Some index key attributes are not defined in AttributeDefinitions. Keys: [a, x], " +
				"AttributeDefinitions: [a, b, c]"},
		{"9", func(in *api.CreateTableInput) { in.KeySchema = keySchema("a:RANGE", "a") },
			"Both the Hash Key and the Range Key element in the KeySchema have the same name"},
		{"10", func(in *api.CreateTableInput) { in.KeySchema = keySchema("a:RANGE", "b:HASH") },
			"Invalid KeySchema: The first KeySchemaElement is not a HASH key type"},
		{"11", func(in *api.CreateTableInput) { in.KeySchema = keySchema("a", "b:HASH") },
			"Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"},
		{"12", func(*api.CreateTableInput) {},
			inv + "Number of attributes in KeySchema does not exactly match number of attributes " +
				"defined in AttributeDefinitions"},
		{"13", func(in *api.CreateTableInput) { in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{} },
			inv + "List of LocalSecondaryIndexes is empty"},
		{"14", func(in *api.CreateTableInput) {
			in.KeySchema = keySchema("a")
			in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{lsi("idx", "a", "c")}
		}, inv + "Table KeySchema does not have a range key, which is required when specifying a " +
			"LocalSecondaryIndex"},
		{"15", func(in *api.CreateTableInput) {
			in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{lsi("idx", "a", "x")}
		}, inv + "Some index key attributes are not defined in AttributeDefinitions. Keys: [a, x], " +
			"AttributeDefinitions: [a, b, c]"},
		{"16", func(in *api.CreateTableInput) {
			in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{lsi("idx", "a")}
		}, inv + "Index KeySchema does not have a range key for index: idx"},
		{"17", func(in *api.CreateTableInput) {
			in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{lsi("idx", "b", "c")}
		}, inv + "Index KeySchema does not have the same leading hash key as table KeySchema for index: " +
			"idx. index hash key: b, table hash key: a"},
		{"18", func(in *api.CreateTableInput) {
			ix := gsi("idx", "c")
			ix.Projection = &api.Projection{}
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{ix}
		}, inv + "Unknown ProjectionType: null"},
		{"19", func(in *api.CreateTableInput) {
			ix := gsi("idx", "c")
			ix.Projection = &api.Projection{ProjectionType: str("KEYS_ONLY"), NonKeyAttributes: []string{"x"}}
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{ix}
		}, inv + "ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified"},
		{"20", func(in *api.CreateTableInput) {
			ix := gsi("idx", "c")
			ix.Projection = &api.Projection{ProjectionType: str("INCLUDE")}
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{ix}
		}, inv + "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"},
		{"21", func(in *api.CreateTableInput) {
			in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{lsi("idx", "a", "c")}
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("idx", "c")}
		}, inv + "Duplicate index name: idx"},
		{"22", func(in *api.CreateTableInput) {
			for i := range 6 {
				in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, lsi(fmt.Sprint("idx", i), "a", "c"))
			}
		}, inv + "Number of LocalSecondaryIndexes exceeds per-table limit of 5"},
		{"23", func(in *api.CreateTableInput) { in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{} },
			inv + "List of GlobalSecondaryIndexes is empty"},
		{"24", func(in *api.CreateTableInput) {
			ix := gsi("idx", "c")
			ix.ProvisionedThroughput = units(1, 1)
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{ix}
		}, inv + "ProvisionedThroughput should not be specified for index: idx when BillingMode is " +
			"PAY_PER_REQUEST"},
		{"25", func(in *api.CreateTableInput) {
			in.BillingMode, in.ProvisionedThroughput = api.Opt[string]{}, units(1, 1)
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("idx", "c")}
		}, inv + "ProvisionedThroughput is not specified for index: idx"},
		{"26", func(in *api.CreateTableInput) {
			for i := range 21 {
				in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, gsi(fmt.Sprint("idx", i), "c"))
			}
		}, inv + "GlobalSecondaryIndex count exceeds the per-table limit of 20"},
		{"27", func(in *api.CreateTableInput) {
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("idx", "b")}
		}, inv + "Some AttributeDefinitions are not used. AttributeDefinitions: [a, b, c], keys used: [a, b]"},
		{"28 count", func(in *api.CreateTableInput) {
			for i := range 6 {
				ix := gsi(fmt.Sprint("idx", i), "c")
				ix.Projection = &api.Projection{ProjectionType: str("INCLUDE")}
				for j := range 17 {
					ix.Projection.NonKeyAttributes = append(ix.Projection.NonKeyAttributes, fmt.Sprint(j))
				}
				in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, ix)
			}
		}, inv + "Number of NonKeyAttributes over all indexes exceeds per-table limit of 100"},
		{"28 definitions", func(in *api.CreateTableInput) {
			in.AttributeDefinitions = define("a", "b", "c", "a")
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("idx", "c")}
		}, "Attribute Name is duplicated: a"},
		{"28 attributes", func(in *api.CreateTableInput) {
			ix := gsi("idx", "c")
			ix.Projection = &api.Projection{ProjectionType: str("INCLUDE"), NonKeyAttributes: []string{"x", "x"}}
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{ix}
		}, inv + "Duplicate element in NonKeyAttributes: x"},
		{"29", func(in *api.CreateTableInput) {
			in.AttributeDefinitions = define("a", "b")
			in.StreamSpecification = &api.StreamSpecification{StreamEnabled: api.Some(true)}
		}, inv + "Table is being created with a stream enabled, UpdateViewType is required"},
		{"30", func(in *api.CreateTableInput) {
			in.AttributeDefinitions = define("a", "b")
			in.StreamSpecification = &api.StreamSpecification{
				StreamEnabled: api.Some(false), StreamViewType: str("NEW_IMAGE"),
			}
		}, inv + "Table is being created with a stream disabled, UpdateViewType should not be specified"},
		{"31 table", func(in *api.CreateTableInput) {
			in.AttributeDefinitions = define("a", "b")
			in.BillingMode, in.ProvisionedThroughput = api.Opt[string]{}, units(5, 5)
			in.WarmThroughput = &api.WarmThroughput{ReadUnitsPerSecond: num(4), WriteUnitsPerSecond: num(4)}
		}, inv + "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than " +
			"ReadCapacityUnits of ProvisionedThroughput"},
		{"31 index", func(in *api.CreateTableInput) {
			ix := gsi("idx", "c")
			ix.WarmThroughput = &api.WarmThroughput{ReadUnitsPerSecond: num(12000), WriteUnitsPerSecond: num(1)}
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{ix}
		}, inv + "Requested WriteUnitsPerSecond for WarmThroughput for index idx is lower than initial " +
			"throughput for OnDemand"},
		{"GSI same name", func(in *api.CreateTableInput) {
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("idx", "c", "c")}
		}, "Both the Hash Key and the Range Key element in the KeySchema have the same name"},
		{"GSI first", func(in *api.CreateTableInput) {
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("idx", "c:RANGE")}
		}, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"},
		{"GSI order", func(in *api.CreateTableInput) {
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("idx", "c", "a", "b:HASH")}
		}, inv + "All HASH key attributes must precede RANGE key attributes in the KeySchema"},
		{"tags", func(in *api.CreateTableInput) {
			in.AttributeDefinitions = define("a", "b")
			in.Tags = []api.Tag{{Key: str("aws:x"), Value: str("")}}
		}, "Tag Key cannot be prefixed with aws:, Key: aws:x"},
		{"later members", func(in *api.CreateTableInput) { in.GlobalTableSourceArn = api.Some("arn:aws:dynamodb:a:1:table/abc") },
			inv + "AttributeDefinitions cannot be specified together with GlobalTableSourceArn"},
		{"good", func(in *api.CreateTableInput) {
			in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{lsi("lsi", "a", "c")}
			in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{gsi("gsi", "c", "b:HASH", "a")}
			in.StreamSpecification = &api.StreamSpecification{
				StreamEnabled: api.Some(true), StreamViewType: str("KEYS_ONLY"),
			}
			in.Tags = []api.Tag{{Key: str("k"), Value: str("")}}
		}, ""},
	} {
		t.Run(tc.row, func(t *testing.T) {
			in := onDemand("a", "b")
			tc.edit(in)
			requireText(t, CreateTable(in, Options{}), tc.want)
		})
	}
	requireText(t, CreateTable(&api.CreateTableInput{
		TableName: str("Tab"), GlobalTableSourceArn: str("arn"),
	}, Options{}), "One or more parameter values were invalid: GlobalTableSettingsReplicationMode must be ENABLED for a multi-account global table")
}

// Rows of wire-facts §6.2.
func TestUpdateTableStatic(t *testing.T) {
	update := func(name string, p *api.ProvisionedThroughput) api.GlobalSecondaryIndexUpdate {
		return api.GlobalSecondaryIndexUpdate{Update: &api.UpdateGlobalSecondaryIndexAction{
			IndexName: str(name), ProvisionedThroughput: p,
		}}
	}
	for want, in := range map[string]*api.UpdateTableInput{
		"At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, " +
			"GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required": {},
		inv + "ProvisionedThroughput must be specified when BillingMode is PROVISIONED": {
			BillingMode: str("PROVISIONED"),
		},
		"Given value 1000000000001 for ReadCapacityUnits is out of bounds": {
			ProvisionedThroughput: units(1_000_000_000_001, 1),
		},
		inv + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, " +
			"GlobalSecondaryIndexUpdate.Delete must not be null": {
			GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
				update("idx", units(1, 1)), update("idx", units(1, 1)), {},
			},
		},
		inv + "Only one global secondary index update per index is allowed simultaneously. Index: idx": {
			GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
				update("idx", units(1, 1)), update("idx", units(1, 1)),
			},
		},
		inv + "If stream is being enabled then UpdateViewType is required": {
			StreamSpecification: &api.StreamSpecification{StreamEnabled: api.Some(true)},
		},
		inv + "If stream is being disabled, then UpdateViewType must not be specified": {
			StreamSpecification: &api.StreamSpecification{StreamEnabled: api.Some(false), StreamViewType: str("KEYS_ONLY")},
		},
		inv + "SSEType can not be specified if Enabled is false": {SSESpecification: &api.SSESpecification{
			Enabled: api.Some(false), SSEType: str("AES256"), KMSMasterKeyId: str("k"),
		}},
		inv + "KMSMasterKeyId can not be specified if Enabled is false": {SSESpecification: &api.SSESpecification{
			Enabled: api.Some(false), KMSMasterKeyId: str("k"),
		}},
		inv + "SSEType AES256 is not supported":                        {SSESpecification: &api.SSESpecification{Enabled: api.Some(true), SSEType: str("AES256")}},
		inv + "SSEType KMS is required if KMSMasterKeyId is specified": {SSESpecification: &api.SSESpecification{KMSMasterKeyId: str("k")}},
		inv + "Requested MaxReadRequestUnits for OnDemandThroughput for index : idx is outside of valid range": {
			GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Update: &api.UpdateGlobalSecondaryIndexAction{
				IndexName: str("idx"), OnDemandThroughput: &api.OnDemandThroughput{MaxReadRequestUnits: api.Some[int64](0)},
			}}},
		},
		api.MsgReplicaNoAction: {ReplicaUpdates: []api.ReplicationGroupUpdate{{}}},
	} {
		in.TableName = str("Tab")
		requireText(t, UpdateTable(in, Options{}), want)
	}
	for _, in := range []*api.UpdateTableInput{
		{DeletionProtectionEnabled: api.Some(false)}, {TableClass: str("STANDARD")}, {WarmThroughput: &api.WarmThroughput{}},
		{BillingMode: str("PAY_PER_REQUEST")}, {ProvisionedThroughput: units(1, 2)},
		{SSESpecification: &api.SSESpecification{}}, {OnDemandThroughput: &api.OnDemandThroughput{}},
		{GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{update("idx", units(1, 1))}},
	} {
		in.TableName = str("Tab")
		requireText(t, UpdateTable(in, Options{}), "")
	}
}

// TestOneChange: what must come alone, in the order in which it is told of, and what may come together.
func TestOneChange(t *testing.T) {
	sse, maximum := &api.SSESpecification{Enabled: api.Some(true)}, &api.OnDemandThroughput{MaxReadRequestUnits: api.Some[int64](1)}
	view := &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: str("KEYS_ONLY")}
	units := &api.ProvisionedThroughput{ReadCapacityUnits: api.Some[int64](1), WriteCapacityUnits: api.Some[int64](1)}
	alone := func(what string) string { return inv + what + " must be the only operation in the request" }
	for _, c := range []struct {
		want string
		in   *api.UpdateTableInput
	}{
		{alone("Server-Side Encryption modification"), &api.UpdateTableInput{SSESpecification: sse, TableClass: str("STANDARD")}},
		{alone("TableClass modification"), &api.UpdateTableInput{TableClass: str("STANDARD"), DeletionProtectionEnabled: api.Some(true)}},
		{alone("DeletionProtection modification"), &api.UpdateTableInput{DeletionProtectionEnabled: api.Some(true), WarmThroughput: &api.WarmThroughput{}}},
		{alone("WarmThroughput"), &api.UpdateTableInput{WarmThroughput: &api.WarmThroughput{}, OnDemandThroughput: maximum}},
		{inv + "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
			&api.UpdateTableInput{OnDemandThroughput: maximum, StreamSpecification: view}},
		{inv + "You cannot modify stream status while updating table IOPS", &api.UpdateTableInput{StreamSpecification: view, ProvisionedThroughput: units}},
		{inv + "You cannot modify stream status while updating table IOPS", &api.UpdateTableInput{
			StreamSpecification: view, BillingMode: str("PROVISIONED"), ProvisionedThroughput: units,
		}},
		{"", &api.UpdateTableInput{StreamSpecification: view, BillingMode: str("PAY_PER_REQUEST")}},
		{"", &api.UpdateTableInput{OnDemandThroughput: maximum, BillingMode: str("PAY_PER_REQUEST")}},
		{"", &api.UpdateTableInput{BillingMode: str("PROVISIONED"), ProvisionedThroughput: units, GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
			{Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: str("idx"), ProvisionedThroughput: units}},
		}}},
	} {
		c.in.TableName = str("Tab")
		requireText(t, UpdateTable(c.in, Options{}), c.want)
	}
}

// An index to be created, as CreateTable checks it (wire-facts §6.2 #11).
func TestNewIndex(t *testing.T) {
	projection := func(typ string, attributes ...string) *api.Projection {
		return &api.Projection{ProjectionType: str(typ), NonKeyAttributes: attributes}
	}
	for want, ix := range map[string]*api.CreateGlobalSecondaryIndexAction{
		inv + "Some index key attributes are not defined in AttributeDefinitions. Keys: [a, x], " +
			"AttributeDefinitions: [a]": {KeySchema: keySchema("a", "x"), Projection: &api.Projection{}},
		inv + "Unknown ProjectionType: null": {KeySchema: keySchema("a"), Projection: &api.Projection{}},
		inv + "ProjectionType is KEYS_ONLY, but NonKeyAttributes is specified": {
			KeySchema: keySchema("a"), Projection: projection("KEYS_ONLY", "b"),
		},
		"": {KeySchema: keySchema("a"), Projection: projection("INCLUDE", "b")},
	} {
		ix.IndexName = str("idx")
		requireText(t, NewIndex(ix, define("a")), want)
	}
}

func TestTimeToLive(t *testing.T) {
	requireText(t, UpdateTimeToLive(&api.UpdateTimeToLiveInput{TableName: str("Tab")}, Options{}),
		ve(cv("null", "timeToLiveSpecification", null)))
	requireText(t, UpdateTimeToLive(&api.UpdateTimeToLiveInput{
		TableName:               str("Tab"),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: str("")},
	}, Options{}), ve(cv("null", "timeToLiveSpecification.enabled", null),
		cv("''", "timeToLiveSpecification.attributeName", "Member must have length greater than or equal to 1")))
	requireText(t, DescribeTimeToLive(&api.DescribeTimeToLiveInput{TableName: str("Tab")}, Options{}), "")
}

// Rows of wire-facts §6.17.
func TestTags(t *testing.T) {
	const arn = "arn:aws:dynamodb:us-east-1:123456789012:table/Tab"
	tag := func(in *api.TagResourceInput) error { return TagResource(in, Options{Account: "123456789012"}) }
	requireText(t, tag(&api.TagResourceInput{}), "Invalid TableArn")
	err := tag(&api.TagResourceInput{ResourceArn: str("Tab")})
	require.Equal(t, api.AccessDenied, api.CodeOf(err))
	require.Equal(t, "AccessDeniedException: User: arn:aws:iam::123456789012:root is not authorized to "+
		"perform: dynamodb:TagResource on resource: Tab", err.Error())
	requireText(t, tag(&api.TagResourceInput{ResourceArn: str("a:b:c:d:e:f/g")}),
		ve(cv("null", "tags", null)))
	requireText(t, tag(&api.TagResourceInput{ResourceArn: str("a:b:c:d:e:f/g"), Tags: []api.Tag{}}),
		"Invalid TableArn: Invalid ResourceArn provided as input a:b:c:d:e:f/g")
	requireText(t, tag(&api.TagResourceInput{ResourceArn: str(arn), Tags: []api.Tag{}}),
		"Atleast one Tag needs to be provided as Input.")
	requireText(t, UntagResource(&api.UntagResourceInput{ResourceArn: str(arn), TagKeys: []string{}}, Options{}),
		"Atleast one Tag Key needs to be provided as Input.")
	requireText(t, UntagResource(&api.UntagResourceInput{ResourceArn: str(arn)}, Options{}),
		ve(cv("null", "tagKeys", null)))
	requireText(t, ListTagsOfResource(&api.ListTagsOfResourceInput{ResourceArn: str(arn + "/index/i")}, Options{}),
		"Invalid TableArn: Invalid ResourceArn provided as input "+arn+"/index/i")
	requireText(t, ListTagsOfResource(&api.ListTagsOfResourceInput{ResourceArn: str(arn)}, Options{}), "")
	many := make([]api.Tag, 51)
	for i := range many {
		many[i] = api.Tag{Key: str(fmt.Sprint(i)), Value: str("")}
	}
	requireText(t, tag(&api.TagResourceInput{ResourceArn: str(arn), Tags: many}),
		"Number of Tags exceed the current limit for the provided ResourceArn")
	requireText(t, tag(&api.TagResourceInput{ResourceArn: str(arn), Tags: many[:50]}), "")
	requireText(t, tag(&api.TagResourceInput{ResourceArn: str(arn), Tags: []api.Tag{many[0], many[0]}}),
		inv+"Duplicate tag key: 0")
	requireText(t, tag(&api.TagResourceInput{ResourceArn: str(arn), Tags: []api.Tag{{Key: str("")}}}),
		ve(cv("''", "tags.1.member.key", "Member must have length greater than or equal to 1"),
			cv("null", "tags.1.member.value", null)))
}
