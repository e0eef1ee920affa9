package codec

import "github.com/keystone-db/kstone/engine/api"

// The legacy members are decoded like the others; the layer above decides what to do with them.

// expected reads Expected.
func (d *Decoder) expected(dst *[]api.ExpectedAttributeMapEntry) {
	*dst = nil
	if !d.mapping(structurePackage + "ExpectedAttributeValue") {
		return
	}
	out := []api.ExpectedAttributeMapEntry{}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.ExpectedAttributeMapEntry{Key: d.keep(key)}
		at := place{head: "Expected", key: e.Key}
		if d.object(msgValueType, "ExpectedAttributeValue") {
			d.expectedValue(&e.Value, at)
		}
		out = append(out, e)
	}
	*dst = sortUnique(out, func(e *api.ExpectedAttributeMapEntry) string { return e.Key })
}

func (d *Decoder) expectedValue(v *api.ExpectedAttributeValue, at place) {
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		switch string(key) {
		case "Value":
			v.Value = d.field(at)
		case "Exists":
			d.boolean(&v.Exists)
		case "ComparisonOperator":
			d.str(&v.ComparisonOperator)
		case "AttributeValueList":
			v.AttributeValueList = d.valueList(at)
		default:
			d.s.Skip()
		}
	}
}

// updates reads AttributeUpdates.
func (d *Decoder) updates(dst *[]api.AttributeUpdatesEntry) {
	*dst = nil
	if !d.mapping(structurePackage + "AttributeValueUpdate") {
		return
	}
	out := []api.AttributeUpdatesEntry{}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.AttributeUpdatesEntry{Key: d.keep(key)}
		if d.object(msgValueType, "AttributeValueUpdate") {
			for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
				switch string(key) {
				case "Value":
					e.Value.Value = d.field(place{head: "AttributeUpdates", key: e.Key})
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
	if !d.mapping(structurePackage + "Condition") {
		return
	}
	out := []api.FilterConditionMapEntry{}
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		e := api.FilterConditionMapEntry{Key: d.keep(key)}
		if d.object(msgValueType, "Condition") {
			for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
				switch string(key) {
				case "AttributeValueList":
					e.Value.AttributeValueList = d.valueList(place{head: member, key: e.Key})
				case "ComparisonOperator":
					d.str(&e.Value.ComparisonOperator)
				default:
					d.s.Skip()
				}
			}
		}
		out = append(out, e)
	}
	*dst = sortUnique(out, func(e *api.FilterConditionMapEntry) string { return e.Key })
}

// keyConditions reads KeyConditions.
func (d *Decoder) keyConditions(dst *[]api.KeyConditionsEntry) {
	var same []api.FilterConditionMapEntry
	d.conditions(&same, "KeyConditions")
	*dst = nil
	if same == nil {
		return
	}
	*dst = make([]api.KeyConditionsEntry, len(same))
	for i, e := range same {
		(*dst)[i] = api.KeyConditionsEntry(e)
	}
}
