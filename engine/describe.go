package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
)

// Warm throughput of a new on-demand table.
const (
	warmReadDefault  = 12000
	warmWriteDefault = 4000
)

// describe renders a table as of now. A table that goes away shows neither counts nor global
// indexes: DynamoDB does this (TestDeleteTableAnswer).
func (db *core) describe(ctx context.Context, t *catalog.Table) (*api.TableDescription, error) {
	arn, now := db.tableARN(t.Table.Name), db.exec.Now().UnixMilli()
	d := &api.TableDescription{
		TableName: api.Some(t.Table.Name), TableArn: api.Some(arn), TableId: api.Some(t.UUID),
		TableStatus: api.Some(t.Status.String()), CreationDateTime: fromMillis(t.CreatedMs),
		KeySchema:                 keySchema(&t.Table.Key),
		DeletionProtectionEnabled: api.Some(t.DeletionProtection),
		ProvisionedThroughput:     provisioned(t.Billing.Table, t.Billing.Changes, now),
	}
	for _, a := range t.Definitions {
		d.AttributeDefinitions = append(d.AttributeDefinitions, api.AttributeDefinition{
			AttributeName: api.Some(a.Name), AttributeType: api.Some(a.Type.String()),
		})
	}
	items, bytes, err := db.count(ctx, t, key.TableSub)
	if err != nil {
		return nil, err
	}
	d.ItemCount, d.TableSizeBytes = api.Some(items), api.Some(bytes)
	describeSettings(d, t, arn)
	db.describeGlobal(d, t)
	return d, db.describeIndexes(ctx, d, t, arn)
}

// describeSettings adds what was stored and is only shown.
func describeSettings(d *api.TableDescription, t *catalog.Table, arn string) {
	b := &t.Billing
	d.BillingModeSummary = billingSummary(t)
	d.OnDemandThroughput = describedMax(b.Max)
	w := warmOf(b.OnDemand, b.Warm, b.Table)
	d.WarmThroughput = &api.TableWarmThroughputDescription{
		ReadUnitsPerSecond: api.Some(w.Read), WriteUnitsPerSecond: api.Some(w.Write),
		Status: api.Some(warmStatus(t)),
	}
	if changed := t.ClassChangedMs(); changed > 0 || t.Class() != api.TableClassStandard {
		d.TableClassSummary = &api.TableClassSummary{TableClass: api.Some(t.Class()), LastUpdateDateTime: fromMillis(changed)}
	}
	if t.Streams() {
		d.StreamSpecification = &api.StreamSpecification{
			StreamEnabled: api.Some(true), StreamViewType: api.Some(t.Stream.ViewType),
		}
	}
	// Of a disabled stream only the names are shown: unsure, the sheet names no more.
	if s := t.Stream; s != nil {
		d.LatestStreamLabel = api.Some(s.Label)
		d.LatestStreamArn = api.Some(arn + "/stream/" + s.Label)
	}
	// It stays when the table is there, as its members suggest: unsure.
	if r := t.Restore; r != nil {
		d.RestoreSummary = &api.RestoreSummary{
			SourceTableArn: api.Some(r.SourceARN), RestoreDateTime: fromMillis(r.AtMs),
			RestoreInProgress: api.Some(t.Filling != ""),
		}
		if r.BackupARN != "" {
			d.RestoreSummary.SourceBackupArn = api.Some(r.BackupARN)
		}
	}
	if s := t.SSE; s != nil {
		d.SSEDescription = &api.SSEDescription{
			Status: api.Some(api.SSEStatusEnabled), SSEType: api.Some(api.SSETypeKMS),
			KMSMasterKeyArn: api.Some(kmsARN(arn, s.KeyID)),
		}
	}
}

// billingSummary is shown on demand and after a switch. A table that was created on demand shows
// the time of its creation once it is active.
func billingSummary(t *catalog.Table) *api.BillingModeSummary {
	b := &t.Billing
	switch {
	case b.OnDemand:
		at := b.SwitchedMs
		if at == 0 && t.Status != catalog.StatusCreating {
			at = t.CreatedMs
		}
		return &api.BillingModeSummary{
			BillingMode:                       api.Some(api.BillingModePayPerRequest),
			LastUpdateToPayPerRequestDateTime: fromMillis(at),
		}
	case b.Switched:
		return &api.BillingModeSummary{
			BillingMode:                       api.Some(api.BillingModeProvisioned),
			LastUpdateToPayPerRequestDateTime: fromMillis(b.SwitchedMs),
		}
	}
	return nil
}

// warmOf is the warm throughput: what was asked for, and at least what the billing mode gives.
func warmOf(onDemand bool, asked *catalog.Throughput, provisioned catalog.Throughput) catalog.Throughput {
	w := provisioned
	if onDemand {
		w = catalog.Throughput{Read: warmReadDefault, Write: warmWriteDefault}
	}
	if asked == nil {
		return w
	}
	return catalog.Throughput{Read: max(asked.Read, w.Read), Write: max(asked.Write, w.Write)}
}

func warmOfIndex(b *catalog.Billing, name string) catalog.Throughput {
	var asked *catalog.Throughput
	if w, ok := b.IndexWarm[name]; ok {
		asked = &w
	}
	return warmOf(b.OnDemand, asked, b.Indexes[name])
}

func warmIndex(t *catalog.Table, name string) *api.GlobalSecondaryIndexWarmThroughputDescription {
	w := warmOfIndex(&t.Billing, name)
	return &api.GlobalSecondaryIndexWarmThroughputDescription{
		ReadUnitsPerSecond: api.Some(w.Read), WriteUnitsPerSecond: api.Some(w.Write),
		Status: api.Some(warmStatus(t)),
	}
}

func warmStatus(t *catalog.Table) string {
	if t.Status != catalog.StatusActive {
		return catalog.StatusUpdating.String()
	}
	return catalog.StatusActive.String()
}

func (db *core) describeIndexes(ctx context.Context, d *api.TableDescription, t *catalog.Table, arn string) error {
	now := db.exec.Now().UnixMilli()
	for i := range t.Table.Indexes {
		ix := &t.Table.Indexes[i]
		if !ix.Local && t.Status == catalog.StatusDeleting {
			continue
		}
		items, bytes, err := db.count(ctx, t, ix.Sub)
		if err != nil {
			return err
		}
		ixARN := api.Some(arn + "/index/" + ix.Name)
		if ix.Vector != nil {
			d.VectorIndexes = append(d.VectorIndexes, describeVectors(t, ix, arn, items, bytes))
			continue
		}
		if ix.Local {
			d.LocalSecondaryIndexes = append(d.LocalSecondaryIndexes, api.LocalSecondaryIndexDescription{
				IndexName: api.Some(ix.Name), KeySchema: keySchema(&ix.Key), Projection: projection(ix),
				IndexArn: ixARN, ItemCount: api.Some(items), IndexSizeBytes: api.Some(bytes),
			})
			continue
		}
		g := api.GlobalSecondaryIndexDescription{
			IndexName: api.Some(ix.Name), KeySchema: keySchema(&ix.Key), Projection: projection(ix),
			IndexArn: ixARN, ItemCount: api.Some(items), IndexSizeBytes: api.Some(bytes),
			IndexStatus:           api.Some(indexStatus(t, ix)),
			ProvisionedThroughput: provisioned(t.Billing.Indexes[ix.Name], t.Billing.IndexChanges[ix.Name], now),
			WarmThroughput:        warmIndex(t, ix.Name),
		}
		if j := t.Job(ix.Sub); j != nil {
			g.Backfilling = api.Some(j.Ready)
		}
		if m, ok := t.Billing.IndexMax[ix.Name]; ok {
			g.OnDemandThroughput = describedMax(&m)
		}
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, g)
	}
	d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, leavingIndexes(t, arn)...)
	d.VectorIndexes = append(d.VectorIndexes, leavingVectors(t, arn)...)
	return nil
}

// leavingIndexes are those that were deleted and are still being removed.
func leavingIndexes(t *catalog.Table, arn string) []api.GlobalSecondaryIndexDescription {
	var list []api.GlobalSecondaryIndexDescription
	for i := range t.Jobs {
		ix := t.Jobs[i].Index
		if ix == nil || ix.Vector != nil || t.Status == catalog.StatusDeleting {
			continue
		}
		list = append(list, api.GlobalSecondaryIndexDescription{
			IndexName: api.Some(ix.Name), KeySchema: keySchema(&ix.Key), Projection: projection(ix),
			IndexArn: api.Some(arn + "/index/" + ix.Name), IndexStatus: api.Some(api.IndexStatusDeleting),
			ItemCount: api.Some[int64](0), IndexSizeBytes: api.Some[int64](0),
			ProvisionedThroughput: provisioned(catalog.Throughput{}, catalog.Changes{}, 0),
		})
	}
	return list
}

// indexStatus of a global index follows its table's creation, its own and the change of its
// throughput.
func indexStatus(t *catalog.Table, ix *schema.Index) string {
	name := ix.Name
	switch {
	case t.Status == catalog.StatusCreating, ix.Building:
		return api.IndexStatusCreating
	case t.Pending != nil && t.Pending.Indexes[name] != t.Billing.Indexes[name]:
		return api.IndexStatusUpdating
	}
	return api.IndexStatusActive
}

func keySchema(k *schema.Key) []api.KeySchemaElement {
	list := make([]api.KeySchemaElement, 0, k.Len())
	for i := range k.Len() {
		typ := api.KeyTypeHash
		if i >= len(k.Hash) {
			typ = api.KeyTypeRange
		}
		list = append(list, api.KeySchemaElement{
			AttributeName: api.Some(k.At(i).Name), KeyType: api.Some(typ),
		})
	}
	return list
}

func projection(ix *schema.Index) *api.Projection {
	p := &api.Projection{ProjectionType: api.Some(api.ProjectionTypeAll)}
	switch ix.Projection {
	case schema.ProjectKeys:
		p.ProjectionType = api.Some(api.ProjectionTypeKeysOnly)
	case schema.ProjectInclude:
		p.ProjectionType, p.NonKeyAttributes = api.Some(api.ProjectionTypeInclude), ix.NonKey
	}
	return p
}

func provisioned(t catalog.Throughput, c catalog.Changes, now int64) *api.ProvisionedThroughputDescription {
	return &api.ProvisionedThroughputDescription{
		NumberOfDecreasesToday: api.Some(c.DecreasesOn(now)),
		ReadCapacityUnits:      api.Some(t.Read), WriteCapacityUnits: api.Some(t.Write),
		LastIncreaseDateTime: fromMillis(c.IncreasedMs), LastDecreaseDateTime: fromMillis(c.DecreasedMs),
	}
}
