package dump

import (
	"cmp"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
)

// Warm throughput that every table on demand has.
const (
	warmReadDefault  = 12000
	warmWriteDefault = 4000
)

// createOf is the request that makes a table like the described one. Lists are sorted, so that equal
// tables have equal texts.
func createOf(t *api.TableDescription) *api.CreateTableInput {
	in := &api.CreateTableInput{
		TableName: t.TableName, KeySchema: t.KeySchema, OnDemandThroughput: t.OnDemandThroughput,
		AttributeDefinitions:  slices.Clone(t.AttributeDefinitions),
		ProvisionedThroughput: provisionedOf(t.ProvisionedThroughput),
		BillingMode:           api.Some(api.BillingModeProvisioned),
	}
	onDemand := t.BillingModeSummary != nil && t.BillingModeSummary.BillingMode.Value == api.BillingModePayPerRequest
	if onDemand {
		in.BillingMode, in.ProvisionedThroughput = api.Some(api.BillingModePayPerRequest), nil
	}
	if w := t.WarmThroughput; w != nil {
		in.WarmThroughput = warmOf(onDemand, w.ReadUnitsPerSecond, w.WriteUnitsPerSecond, in.ProvisionedThroughput)
	}
	slices.SortFunc(in.AttributeDefinitions, func(a, b api.AttributeDefinition) int {
		return cmp.Compare(a.AttributeName.Value, b.AttributeName.Value)
	})
	if s := t.StreamSpecification; s != nil && s.StreamEnabled.Value {
		in.StreamSpecification = s
	}
	if s := t.SSEDescription; s != nil && s.Status.Value == api.SSEStatusEnabled {
		in.SSESpecification = &api.SSESpecification{Enabled: api.Some(true), SSEType: s.SSEType, KMSMasterKeyId: s.KMSMasterKeyArn}
	}
	if c := t.TableClassSummary; c != nil {
		in.TableClass = c.TableClass
	}
	if t.DeletionProtectionEnabled.Value {
		in.DeletionProtectionEnabled = t.DeletionProtectionEnabled
	}
	indexesOf(in, t, onDemand)
	return in
}

func indexesOf(in *api.CreateTableInput, t *api.TableDescription, onDemand bool) {
	for _, x := range t.LocalSecondaryIndexes {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, api.LocalSecondaryIndex{
			IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: projectionOf(x.Projection),
		})
	}
	slices.SortFunc(in.LocalSecondaryIndexes, func(a, b api.LocalSecondaryIndex) int {
		return cmp.Compare(a.IndexName.Value, b.IndexName.Value)
	})
	for _, x := range t.GlobalSecondaryIndexes {
		g := api.GlobalSecondaryIndex{
			IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: projectionOf(x.Projection),
			OnDemandThroughput: x.OnDemandThroughput,
		}
		if !onDemand {
			g.ProvisionedThroughput = provisionedOf(x.ProvisionedThroughput)
		}
		if w := x.WarmThroughput; w != nil {
			g.WarmThroughput = warmOf(onDemand, w.ReadUnitsPerSecond, w.WriteUnitsPerSecond, g.ProvisionedThroughput)
		}
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, g)
	}
	slices.SortFunc(in.GlobalSecondaryIndexes, func(a, b api.GlobalSecondaryIndex) int {
		return cmp.Compare(a.IndexName.Value, b.IndexName.Value)
	})
}

func projectionOf(p *api.Projection) *api.Projection {
	if p == nil {
		return nil
	}
	out := *p
	out.NonKeyAttributes = slices.Sorted(slices.Values(p.NonKeyAttributes))
	return &out
}

func provisionedOf(p *api.ProvisionedThroughputDescription) *api.ProvisionedThroughput {
	if p == nil {
		return nil
	}
	return &api.ProvisionedThroughput{ReadCapacityUnits: p.ReadCapacityUnits, WriteCapacityUnits: p.WriteCapacityUnits}
}

// warmOf is what was asked for; nil if it is what the billing mode gives anyway.
func warmOf(onDemand bool, read, write api.Opt[int64], p *api.ProvisionedThroughput) *api.WarmThroughput {
	given := [2]int64{warmReadDefault, warmWriteDefault}
	if !onDemand {
		if p == nil {
			return nil
		}
		given = [2]int64{p.ReadCapacityUnits.Value, p.WriteCapacityUnits.Value}
	}
	if read.Value <= given[0] && write.Value <= given[1] {
		return nil
	}
	return &api.WarmThroughput{ReadUnitsPerSecond: read, WriteUnitsPerSecond: write}
}

// sameKey says whether a table that is there has the key that items of the dump have.
func sameKey(in *api.CreateTableInput, t *api.TableDescription) bool {
	types := func(defs []api.AttributeDefinition, keys []api.KeySchemaElement) []string {
		var out []string
		for _, k := range keys {
			for _, d := range defs {
				if d.AttributeName == k.AttributeName {
					out = append(out, k.KeyType.Value, d.AttributeName.Value, d.AttributeType.Value)
				}
			}
		}
		return out
	}
	return slices.Equal(types(in.AttributeDefinitions, in.KeySchema), types(t.AttributeDefinitions, t.KeySchema))
}
