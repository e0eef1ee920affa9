package compat

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// name makes a table name of the test's.
func name(t *testing.T) string { return strings.NewReplacer("/", ".", " ", "_").Replace(t.Name()) }

func TestCreateTableDescribes(t *testing.T) {
	table := name(t)
	in := indexedInput(table)
	in.DeletionProtectionEnabled = aws.Bool(true)
	in.TableClass = types.TableClassStandardInfrequentAccess
	began := time.Now().Truncate(time.Second)
	out, err := db.CreateTable(t.Context(), in)
	require.NoError(t, err)
	d := out.TableDescription
	// Wire-facts §6.1.2. ARNs carry the server's region and account, not the client's.
	arn := "arn:aws:dynamodb:us-east-1:123456789012:table/" + table
	assert.Equal(t, arn, *d.TableArn)
	assert.Equal(t, int64(0), *d.ItemCount)
	assert.True(t, *d.DeletionProtectionEnabled)
	assert.Equal(t, types.BillingModePayPerRequest, d.BillingModeSummary.BillingMode)
	assert.Equal(t, int64(0), *d.ProvisionedThroughput.ReadCapacityUnits)
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, *d.TableId)
	assert.False(t, d.CreationDateTime.Before(began) || d.CreationDateTime.After(time.Now()), d.CreationDateTime)
	require.Len(t, d.LocalSecondaryIndexes, 1)
	require.Len(t, d.GlobalSecondaryIndexes, 2)
	assert.Equal(t, arn+"/index/"+byNumber, *d.LocalSecondaryIndexes[0].IndexArn)
	assert.Equal(t, []string{"extra"}, d.GlobalSecondaryIndexes[1].Projection.NonKeyAttributes)

	got, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, types.TableStatusActive, got.Table.TableStatus)
	assert.Equal(t, types.IndexStatusActive, got.Table.GlobalSecondaryIndexes[0].IndexStatus)
	assert.ElementsMatch(t, in.AttributeDefinitions, got.Table.AttributeDefinitions)
	assert.Equal(t, in.KeySchema, got.Table.KeySchema)
	// An ARN in a request names its table by name.
	got, err = db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &arn})
	require.NoError(t, err)
	assert.Equal(t, table, *got.Table.TableName)

	_, err = db.CreateTable(t.Context(), in)
	wantError(t, err, inUse, "Table already exists: "+table)
	_, err = db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	wantError(t, err, validation,
		"Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: aws.Bool(false)})
	require.NoError(t, err)
	deleted, err := db.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, types.TableStatusDeleting, deleted.TableDescription.TableStatus)
	_, err = db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	wantError(t, err, notFound, "Requested resource not found: Table: "+table+" not found")
}

func TestCreateTableErrors(t *testing.T) {
	throughput := &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(1), WriteCapacityUnits: aws.Int64(1)}
	const invalid = "One or more parameter values were invalid: "
	all := &types.Projection{ProjectionType: types.ProjectionTypeAll}
	for _, tt := range []struct {
		label string
		edit  func(*dynamodb.CreateTableInput)
		text  string // wire-facts §6.1
	}{
		{"2 short name", func(in *dynamodb.CreateTableInput) { in.TableName = aws.String("ab") },
			"TableName must be at least 3 characters long and at most 255 characters long"},
		{"2 long name", func(in *dynamodb.CreateTableInput) { in.TableName = aws.String(strings.Repeat("a", 256)) },
			"TableName must be at least 3 characters long and at most 255 characters long"},
		{"4 throughput on demand", func(in *dynamodb.CreateTableInput) { in.ProvisionedThroughput = throughput },
			invalid + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"},
		{"5 no throughput", func(in *dynamodb.CreateTableInput) { in.BillingMode = types.BillingModeProvisioned },
			invalid + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"},
		{"9 same name twice", func(in *dynamodb.CreateTableInput) { in.KeySchema = keySchema("pk:S", "pk:S") },
			"Both the Hash Key and the Range Key element in the KeySchema have the same name"},
		{"12 definition left over", func(in *dynamodb.CreateTableInput) {
			in.KeySchema = keySchema("pk:S")
		}, invalid + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"},
		{"8 key not defined", func(in *dynamodb.CreateTableInput) { in.KeySchema = keySchema("pk:S", "xx:S") },
			invalid + "Some index key attributes are not defined in AttributeDefinitions. Keys: [pk, xx], AttributeDefinitions: [pk, sk]"},
		{"13 no LSI", func(in *dynamodb.CreateTableInput) { in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{} },
			invalid + "List of LocalSecondaryIndexes is empty"},
		{"16 LSI without range key", func(in *dynamodb.CreateTableInput) {
			in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{{IndexName: aws.String("idx"), KeySchema: keySchema("pk:S"), Projection: all}}
		}, invalid + "Index KeySchema does not have a range key for index: idx"},
		{"21 duplicate index", func(in *dynamodb.CreateTableInput) {
			index := types.LocalSecondaryIndex{IndexName: aws.String("idx"), KeySchema: keySchema("pk:S", "sk:S"), Projection: all}
			in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{index, index}
		}, invalid + "Duplicate index name: idx"},
		{"19 non-key attributes with ALL", func(in *dynamodb.CreateTableInput) {
			in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{IndexName: aws.String("idx"), KeySchema: keySchema("sk:S"),
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll, NonKeyAttributes: []string{"a"}}}}
		}, invalid + "ProjectionType is ALL, but NonKeyAttributes is specified"},
		{"23 no GSI", func(in *dynamodb.CreateTableInput) { in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{} },
			invalid + "List of GlobalSecondaryIndexes is empty"},
		{"24 GSI throughput on demand", func(in *dynamodb.CreateTableInput) {
			in.GlobalSecondaryIndexes = []types.GlobalSecondaryIndex{{IndexName: aws.String("idx"), KeySchema: keySchema("sk:S"),
				Projection: all, ProvisionedThroughput: throughput}}
		}, invalid + "ProvisionedThroughput should not be specified for index: idx when BillingMode is PAY_PER_REQUEST"},
		{"26 too many GSIs", func(in *dynamodb.CreateTableInput) {
			for i := range 21 {
				in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
					IndexName: aws.String(fmt.Sprintf("index-%d", i)), KeySchema: keySchema("sk:S"), Projection: all})
			}
		}, invalid + "GlobalSecondaryIndex count exceeds the per-table limit of 20"},
	} {
		t.Run(tt.label, func(t *testing.T) {
			in := tableInput("never-made", "pk:S", "sk:S")
			tt.edit(in)
			_, err := db.CreateTable(t.Context(), in)
			wantError(t, err, validation, tt.text)
		})
	}
}

func TestUpdateTable(t *testing.T) {
	table := name(t)
	in := tableInput(table, "pk:S")
	in.BillingMode = types.BillingModeProvisioned
	in.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: aws.Int64(6)}
	_, err := db.CreateTable(t.Context(), in)
	require.NoError(t, err)

	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table})
	wantError(t, err, validation, "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "+
		"GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required")
	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, ProvisionedThroughput: in.ProvisionedThroughput})
	wantError(t, err, validation, "The provisioned throughput for the table will not change. The requested value equals the "+
		"current value. Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5. Current "+
		"WriteCapacityUnits provisioned for the table: 6. Requested WriteCapacityUnits: 6. Refer to the Amazon DynamoDB "+
		"Developer Guide for current limits and how to request higher limits.")

	more := &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(7), WriteCapacityUnits: aws.Int64(6)}
	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, ProvisionedThroughput: more})
	require.NoError(t, err)
	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, BillingMode: types.BillingModePayPerRequest})
	require.NoError(t, err)
	got, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, types.BillingModePayPerRequest, got.Table.BillingModeSummary.BillingMode)
	assert.NotNil(t, got.Table.BillingModeSummary.LastUpdateToPayPerRequestDateTime)
	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, TableClass: types.TableClassStandardInfrequentAccess})
	require.NoError(t, err)

	encryption := &types.SSESpecification{Enabled: aws.Bool(true), SSEType: types.SSETypeKms, KMSMasterKeyId: aws.String("mine")}
	maxima := &types.OnDemandThroughput{MaxReadRequestUnits: aws.Int64(9)}
	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, SSESpecification: encryption, OnDemandThroughput: maxima})
	wantError(t, err, validation, "One or more parameter values were invalid: Server-Side Encryption modification must be the only "+
		"operation in the request")
	out, err := db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, SSESpecification: encryption})
	require.NoError(t, err)
	assert.Equal(t, "UPDATING", string(out.TableDescription.TableStatus))
	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, OnDemandThroughput: maxima})
	require.NoError(t, err)
	got, err = db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, types.SSETypeKms, got.Table.SSEDescription.SSEType)
	assert.Equal(t, "arn:aws:kms:us-east-1:123456789012:key/mine", *got.Table.SSEDescription.KMSMasterKeyArn)
	assert.Equal(t, int64(9), *got.Table.OnDemandThroughput.MaxReadRequestUnits)

	_, err = db.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: aws.String("no-such-table"), BillingMode: types.BillingModePayPerRequest})
	wantError(t, err, notFound, "Requested resource not found: Table: no-such-table not found")
}

func TestListTablesPages(t *testing.T) {
	c := newServer(t, "--in-memory").client()
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("table-%d", i))
		_, err := c.CreateTable(t.Context(), tableInput(want[i], "pk:S"))
		require.NoError(t, err)
	}
	var got []string
	pages := dynamodb.NewListTablesPaginator(c, &dynamodb.ListTablesInput{Limit: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		assert.LessOrEqual(t, len(page.TableNames), 2)
		got = append(got, page.TableNames...)
	}
	assert.Equal(t, want, got)
	out, err := c.ListTables(t.Context(), &dynamodb.ListTablesInput{ExclusiveStartTableName: aws.String("table-2x"), Limit: aws.Int32(2)})
	require.NoError(t, err)
	assert.Equal(t, want[3:], out.TableNames)
	assert.Nil(t, out.LastEvaluatedTableName, "exactly Limit remained")
	_, err = c.ListTables(t.Context(), &dynamodb.ListTablesInput{Limit: aws.Int32(101)})
	wantError(t, err, validation, "1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: "+
		"Member must have value less than or equal to 100")
}

// TestTableDelay sees the states that a program must wait for: those that last for an hour, and those
// that end, with the SDK's waiters.
func TestTableDelay(t *testing.T) {
	path, old, table := filepath.Join(t.TempDir(), "d.keystone"), "old", "delayed"
	s := newServer(t, "--db", path)
	_, err := s.client().CreateTable(t.Context(), tableInput(old, "pk:S"))
	require.NoError(t, err)
	s.stop(t)

	s = newServer(t, "--db", path, "--table-delay", "1h")
	c := s.client()
	out, err := c.CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	assert.Equal(t, types.TableStatusCreating, out.TableDescription.TableStatus)
	_, err = c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("a")}})
	wantError(t, err, notFound, "Requested resource not found")
	_, err = c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	wantError(t, err, inUse, "Attempt to change a resource which is still in use: Table is being created: "+table)
	_, err = c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &old})
	require.NoError(t, err)
	_, err = c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &old})
	wantError(t, err, inUse, "Attempt to change a resource which is still in use: Table is being deleted: "+old)
	s.stop(t)

	c = newServer(t, "--in-memory", "--table-delay", "300ms").client()
	_, err = c.CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	const least, most = 20 * time.Millisecond, time.Second
	describe := &dynamodb.DescribeTableInput{TableName: &table}
	exists := dynamodb.NewTableExistsWaiter(c, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = least, most })
	require.NoError(t, exists.Wait(t.Context(), describe, waitMax))
	_, err = c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("a")}})
	require.NoError(t, err)
	_, err = c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	require.NoError(t, err)
	gone := dynamodb.NewTableNotExistsWaiter(c, func(o *dynamodb.TableNotExistsWaiterOptions) { o.MinDelay, o.MaxDelay = least, most })
	require.NoError(t, gone.Wait(t.Context(), describe, waitMax))
}
