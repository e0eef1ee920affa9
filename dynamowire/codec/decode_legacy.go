package codec

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// The legacy members are decoded like the others; the layer above decides what to do with them.

// Members whose values have places.
const (
	memberExpected         = "Expected"
	memberAttributeUpdates = "AttributeUpdates"
	memberKeyConditions    = "KeyConditions"
)

// forget drops the faults of a member's values: of a member that is there twice the last one counts.
func (d *Decoder) forget(member string) {
	d.bad = slices.DeleteFunc(d.bad, func(b api.BadValue) bool {
		rest, ok := strings.CutPrefix(b.Place, member)
		return ok && strings.HasPrefix(rest, ".")
	})
}

// valueList reads AttributeValueList and the first fault of its values.
func (d *Decoder) valueList() (list []attr.Value, first *attr.ValueError) {
	if !d.list() {
		return nil, nil
	}
	list = []attr.Value{}
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		start := d.enc.Len()
		if bad := d.value(1, msgValueType); bad != nil {
			if first == nil {
				first = bad
			}
			list = append(list, nil)
			continue
		}
		list = append(list, attr.Value(d.enc.From(start)))
	}
	return list, first
}

// expected reads Expected.
func (d *Decoder) expected(dst *[]api.ExpectedAttributeMapEntry) {
	*dst = nil
	d.forget(memberExpected)
	if !d.mapping(structurePackage + "ExpectedAttributeValue") {
		return
	}
	out := []api.ExpectedAttributeMapEntry{}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.ExpectedAttributeMapEntry{Key: d.keep(key)}
		at := place{head: memberExpected, key: e.Key}
		d.report(at, nil)
		if d.object(msgValueType, "ExpectedAttributeValue") {
			d.expectedValue(&e.Value, at)
		}
		out = append(out, e)
	}
	*dst = sortUnique(out, func(e *api.ExpectedAttributeMapEntry) string { return e.Key })
}

func (d *Decoder) expectedValue(v *api.ExpectedAttributeValue, at place) {
	var inList *attr.ValueError
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		switch string(key) {
		case "Value":
			v.Value = d.field(at)
		case "Exists":
			d.boolean(&v.Exists)
		case "ComparisonOperator":
			d.str(&v.ComparisonOperator)
		case "AttributeValueList":
			v.AttributeValueList, inList = d.valueList()
		default:
			d.s.Skip()
		}
	}
	if inList != nil { // what Value has left there stays otherwise
		d.report(at, inList)
	}
}

// updates reads AttributeUpdates.
func (d *Decoder) updates(dst *[]api.AttributeUpdatesEntry) {
	*dst = nil
	d.forget(memberAttributeUpdates)
	if !d.mapping(structurePackage + "AttributeValueUpdate") {
		return
	}
	out := []api.AttributeUpdatesEntry{}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.AttributeUpdatesEntry{Key: d.keep(key)}
		at := place{head: memberAttributeUpdates, key: e.Key}
		d.report(at, nil)
		if d.object(msgValueType, "AttributeValueUpdate") {
			for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
				switch string(key) {
				case "Value":
					e.Value.Value = d.field(at)
				case "Action":
					d.str(&e.Value.Action)
				default:
					d.s.Skip()
				}
			}
		}
		out = append(out, e)
	}
	*dst = sortUnique(out, func(e *api.AttributeUpdatesEntry) string { return e.Key })
}

// conditions reads QueryFilter, ScanFilter or KeyConditions, which the member names.
func (d *Decoder) conditions(dst *[]api.FilterConditionMapEntry, member string) {
	*dst = nil
	d.forget(member)
	if !d.mapping(structurePackage + "Condition") {
		return
	}
	out := []api.FilterConditionMapEntry{}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.FilterConditionMapEntry{Key: d.keep(key)}
		var bad *attr.ValueError
		if d.object(msgValueType, "Condition") {
			for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
				switch string(key) {
				case "AttributeValueList":
					e.Value.AttributeValueList, bad = d.valueList()
				case "ComparisonOperator":
					d.str(&e.Value.ComparisonOperator)
				default:
					d.s.Skip()
				}
			}
		}
		d.report(place{head: member, key: e.Key}, bad)
		out = append(out, e)
	}
	*dst = sortUnique(out, func(e *api.FilterConditionMapEntry) string { return e.Key })
}

// keyConditions reads KeyConditions.
func (d *Decoder) keyConditions(dst *[]api.KeyConditionsEntry) {
	var same []api.FilterConditionMapEntry
	d.conditions(&same, memberKeyConditions)
	*dst = nil
	if same == nil {
		return
	}
	*dst = make([]api.KeyConditionsEntry, len(same))
	for i, e := range same {
		(*dst)[i] = api.KeyConditionsEntry(e)
	}
}
