package engine

import (
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
)

// checkIndexChanges makes check 3 of wire-facts §6.2: how many indexes change at once.
func checkIndexChanges(in *api.UpdateTableInput, r *catalog.Record) error {
	changes := 0
	for i := range in.GlobalSecondaryIndexUpdates {
		if u := &in.GlobalSecondaryIndexUpdates[i]; u.Create != nil || u.Delete != nil {
			changes++
		}
	}
	changes += len(in.VectorIndexUpdates)
	// An index that is being made may be removed; nothing else goes on beside a change.
	if changes == 1 && r.ChangesIndexes() {
		for _, u := range in.GlobalSecondaryIndexUpdates {
			if u.Delete != nil && building(r, u.Delete.IndexName.Value) {
				changes = 0
			}
		}
		for _, u := range in.VectorIndexUpdates {
			switch {
			case u.Delete != nil && building(r, u.Delete.IndexName.Value):
				changes = 0
			case u.Create != nil && building(r, u.Create.IndexName.Value):
				return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
			}
		}
		if changes > 0 {
			return api.Errorf(api.LimitExceeded, api.MsgOneIndexChange)
		}
	}
	if changes > 1 || len(in.GlobalSecondaryIndexUpdates) > indexUpdatesMax {
		return api.Errorf(api.LimitExceeded, api.MsgOneIndexChange)
	}
	return nil
}

func building(r *catalog.Record, name string) bool {
	ix := r.Table.Index(name)
	return ix != nil && ix.Building
}

// nextIndexes makes the index that is to be created and takes away the one to be deleted: the checks
// 9 to 12 of wire-facts §6.2.
func nextIndexes(in *api.UpdateTableInput, r *catalog.Record) error {
	if err := checkIndexesKnown(in, r); err != nil {
		return err
	}
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		switch {
		case u.Create != nil:
			if err := createIndex(u.Create, in.AttributeDefinitions, r); err != nil {
				return err
			}
		case u.Delete != nil:
			r.DropIndex(u.Delete.IndexName.Value)
		}
	}
	return nil
}

// checkIndexesKnown makes the checks 9 and 10: indexes to create are not there, those to update or
// delete are.
func checkIndexesKnown(in *api.UpdateTableInput, r *catalog.Record) error {
	for i := range in.GlobalSecondaryIndexUpdates {
		if c := in.GlobalSecondaryIndexUpdates[i].Create; c != nil {
			if name := c.IndexName.Value; r.Table.Index(name) != nil || leaving(r, name) {
				return api.Errorf(api.Validation, api.MsgIndexExists)
			}
		}
	}
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		var name string
		switch {
		case u.Update != nil:
			name = u.Update.IndexName.Value
			if leaving(r, name) {
				return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", r.Table.Name)
			}
		case u.Delete != nil:
			name = u.Delete.IndexName.Value
		default:
			continue
		}
		if ix := r.Table.Index(name); ix == nil || !ix.Global() {
			return noGlobalIndex(ix, name, u.Delete != nil, r.Table.Name)
		}
	}
	return nil
}

// noGlobalIndex is the error of an index that cannot be updated or deleted: one that is none, or another kind of one.
func noGlobalIndex(ix *schema.Index, name string, deletes bool, table string) error {
	switch {
	case ix == nil:
		return api.Errorf(api.ResourceNotFound, api.MsgIndexNotFound, name, table)
	case deletes:
		return api.Errorf(api.Validation, api.MsgIndexOther, "delete", name)
	}
	return api.Errorf(api.Validation, api.MsgIndexOther, "update", name)
}

// leaving says whether an index was deleted and is still being removed.
func leaving(r *catalog.Record, name string) bool {
	return slices.ContainsFunc(r.Jobs, func(j catalog.Job) bool { return j.Index != nil && j.Index.Name == name })
}

func createIndex(in *api.CreateGlobalSecondaryIndexAction, definitions []api.AttributeDefinition, r *catalog.Record) error {
	name := in.IndexName.Value
	if err := validate.NewIndex(in, definitions); err != nil {
		return err
	}
	billing := &r.Billing
	if r.Pending != nil {
		billing = r.Pending
	}
	if !billing.OnDemand && in.ProvisionedThroughput == nil {
		return api.Errorf(api.Validation, api.MsgGSIUnitsAbsent, name)
	}
	types := make(map[string]attr.Type, len(definitions))
	for _, d := range definitions {
		types[d.AttributeName.Value] = keyType(d.AttributeType.Value)
	}
	k := keyOf(in.KeySchema, types)
	for i, place := range keyPlaces(&k) {
		if err := define(r, k.At(i).Name, k.At(i).Type, place); err != nil {
			return err
		}
	}
	global, nonKey := 1, len(in.Projection.NonKeyAttributes)
	for i := range r.Table.Indexes {
		if ix := &r.Table.Indexes[i]; ix.Global() {
			global++
		}
		nonKey += len(r.Table.Indexes[i].NonKey)
	}
	switch {
	case global > validate.GlobalIndexesMax:
		return api.Errorf(api.LimitExceeded, api.MsgIndexCount)
	case nonKey > validate.NonKeyAttributesMax:
		return api.Errorf(api.Validation, api.MsgProjectionCount)
	}
	r.AddIndex(indexOf(name, false, k, in.Projection))
	for _, b := range []*catalog.Billing{&r.Billing, r.Pending} {
		if b == nil {
			continue
		}
		setThroughput(&b.Indexes, name, throughput(in.ProvisionedThroughput))
		if m := onDemand(in.OnDemandThroughput); m != nil {
			setThroughput(&b.IndexMax, name, *m)
		}
		if w := warm(in.WarmThroughput); w != nil {
			setThroughput(&b.IndexWarm, name, *w)
		}
	}
	return nil
}

// keyPlaces says of each attribute of a key whether it is of the HASH or of the RANGE part.
func keyPlaces(k *schema.Key) []string {
	places := make([]string, k.Len())
	for i := range places {
		places[i] = api.KeyTypeRange
		if i < len(k.Hash) {
			places[i] = api.KeyTypeHash
		}
	}
	return places
}

// define adds an attribute definition; one that is there must have the same type, and be no vector. place is what the
// new key has it for.
func define(r *catalog.Record, name string, typ attr.Type, place string) error {
	redefined := func(existing string) error {
		return api.Errorf(api.Validation, api.MsgDefinitionType, existing, fmt.Sprintf(api.SchemaKey, name, typ, place))
	}
	for i := range r.Table.Indexes {
		if v := r.Table.Indexes[i].Vector; v != nil && v.Attribute == name {
			return redefined(fmt.Sprintf(api.SchemaVector, name, v.Dimensions))
		}
	}
	for _, a := range r.Definitions {
		switch {
		case a.Name == name && a.Type != typ:
			return redefined(fmt.Sprintf(api.SchemaKey, name, a.Type, placeOf(&r.Table, name)))
		case a.Name == name:
			return nil
		}
	}
	r.Definitions = append(r.Definitions, schema.KeyAttr{Name: name, Type: typ})
	return nil
}

// placeOf says what the first key that has an attribute has it for.
func placeOf(t *schema.Table, name string) string {
	keys := []*schema.Key{&t.Key}
	for i := range t.Indexes {
		keys = append(keys, &t.Indexes[i].Key)
	}
	for _, k := range keys {
		for i, place := range keyPlaces(k) {
			if k.At(i).Name == name {
				return place
			}
		}
	}
	return api.KeyTypeHash
}
