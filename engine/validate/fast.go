package validate

import "github.com/keystone-db/kstone/engine/api"

// The functions of this file say whether members obey their constraints, by hand: what the tables
// say of a hot operation's members, without reflection. They may say no to a good member of rare
// form (the tables decide then), never yes to a bad one.

// fitsTable: a present TableName of shape TableArn. A name of as many bytes as characters are
// allowed is never too long.
func fitsTable(o api.Opt[string]) bool {
	return o.Set && o.Value != "" && len(o.Value) <= arnLengthMax
}

// fitsIndex: an IndexName.
func fitsIndex(o api.Opt[string]) bool {
	return !o.Set ||
		len(o.Value) >= nameLengthMin && len(o.Value) <= nameLengthMax && nameChars(o.Value)
}

func fitsConsumed(o api.Opt[string]) bool {
	if !o.Set {
		return true
	}
	switch o.Value {
	case api.ReturnConsumedCapacityNone, api.ReturnConsumedCapacityTotal,
		api.ReturnConsumedCapacityIndexes:
		return true
	}
	return false
}

func fitsMetrics(o api.Opt[string]) bool {
	return !o.Set || o.Value == api.ReturnItemCollectionMetricsNone ||
		o.Value == api.ReturnItemCollectionMetricsSize
}

func fitsReturnValues(o api.Opt[string]) bool {
	if !o.Set {
		return true
	}
	switch o.Value {
	case api.ReturnValueNone, api.ReturnValueAllOld, api.ReturnValueUpdatedOld,
		api.ReturnValueAllNew, api.ReturnValueUpdatedNew:
		return true
	}
	return false
}

func fitsOnFailure(o api.Opt[string]) bool {
	return !o.Set || o.Value == api.ReturnValuesOnConditionCheckFailureNone ||
		o.Value == api.ReturnValuesOnConditionCheckFailureAllOld
}

func fitsSelect(o api.Opt[string]) bool {
	if !o.Set {
		return true
	}
	switch o.Value {
	case api.SelectAllAttributes, api.SelectAllProjectedAttributes, api.SelectCount,
		api.SelectSpecificAttributes:
		return true
	}
	return false
}

// fitsNames: the attribute names that placeholders stand for.
func fitsNames(names []api.Name) bool {
	for i := range names {
		if len(names[i].Name) > attributeNameMax {
			return false
		}
	}
	return true
}

// attributeNameMax is the longest attribute name, in characters.
const attributeNameMax = 65535

// fitsRange: a number within bounds, or absent.
func fitsRange(o api.Opt[int64], least, most int64) bool {
	return !o.Set || o.Value >= least && o.Value <= most
}
