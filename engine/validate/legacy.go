package validate

import (
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// operands says which values a comparison operator takes.
type operands struct {
	least, most int
	// types of the values; every type when it is nil.
	types []attr.Type
}

// conditionsMax bounds the entries of Expected, QueryFilter and ScanFilter: unsure, as neither the
// service's model nor its documentation says anything. They are as many as an expression may have
// operators, and without a bound one request could ask for 16 MB of comparisons of each of the items
// of a page. The values of IN need none, since looking for one takes its logarithm.
const conditionsMax = 300

// operandsMany stands for as many values as a request can hold.
const operandsMany = int(^uint(0) >> 1)

// comparisonOperands has the table of wire-facts §8.2.
var comparisonOperands = map[string]operands{
	api.ComparisonOperatorEq:          {1, 1, nil},
	api.ComparisonOperatorNe:          {1, 1, nil},
	api.ComparisonOperatorLe:          {1, 1, scalars},
	api.ComparisonOperatorLt:          {1, 1, scalars},
	api.ComparisonOperatorGe:          {1, 1, scalars},
	api.ComparisonOperatorGt:          {1, 1, scalars},
	api.ComparisonOperatorContains:    {1, 1, scalars},
	api.ComparisonOperatorNotContains: {1, 1, scalars},
	api.ComparisonOperatorBeginsWith:  {1, 1, []attr.Type{attr.S, attr.B}},
	api.ComparisonOperatorIn:          {1, operandsMany, scalars},
	api.ComparisonOperatorBetween:     {2, 2, scalars},
	api.ComparisonOperatorNull:        {0, 0, nil},
	api.ComparisonOperatorNotNull:     {0, 0, nil},
}

var scalars = []attr.Type{attr.S, attr.N, attr.B}

// compares checks the values of one comparison (wire-facts §8.2): their number, their types among
// each other, their type for the operator, the bounds of BETWEEN.
func compares(operator string, values []attr.Value) error {
	want := comparisonOperands[operator]
	if len(values) < want.least || len(values) > want.most {
		return invalid(api.MsgArgumentCount, operator)
	}
	if len(values) == 0 {
		return nil
	}
	first := wireType(values[0])
	for _, v := range values[1:] {
		if wireType(v) != first {
			return invalid(api.MsgArgumentTypes)
		}
	}
	if want.types != nil && !slices.Contains(want.types, first) {
		return invalid(api.MsgArgumentType, operator, first)
	}
	if operator == api.ComparisonOperatorBetween {
		if order, ok := attr.Compare(values[0], values[1]); ok && order > 0 {
			return invalid(api.MsgBetweenReversed)
		}
	}
	return nil
}

// wireType is the type that a value has on the wire, where the native extras are not known.
func wireType(v attr.Value) attr.Type {
	switch t := v.Type(); t {
	case attr.VecF32:
		return attr.L
	case attr.Ts:
		return attr.N
	default:
		return t
	}
}

// combines checks ConditionalOperator against the number of entries that it combines. Its place
// among the checks is unsure: here it follows those of mixed parameters, and so comes before all
// checks of values, which agrees with what is known: it comes before a missing key condition.
func combines(operator api.Opt[string], entries int) error {
	switch {
	case !operator.Set || entries > 1:
		return nil
	case entries == 0:
		return invalid(api.MsgConditionalAlone)
	default:
		return invalid(api.MsgConditionalSingle)
	}
}

// expects checks Expected (wire-facts §8.3), an attribute after the other in the order of their
// names.
func expects(expected []api.ExpectedAttributeMapEntry, bad []api.BadValue) error {
	if n := len(expected); n > conditionsMax {
		return invalid(api.MsgConditionsMany, n)
	}
	faults := faultsOf(bad)
	for i := range expected {
		if err := expectsOne(&expected[i], faults); err != nil {
			return err
		}
	}
	return nil
}

func expectsOne(e *api.ExpectedAttributeMapEntry, faults faults) error {
	v, operator := &e.Value, e.Value.ComparisonOperator.Value
	fault := faults.at(memberExpected, e.Key)
	// A bad element of the list is nil in it, a bad Value is nil like an absent one.
	hasValue := v.Value != nil || fault != nil && !slices.ContainsFunc(v.AttributeValueList, isAbsent)
	hasList := v.AttributeValueList != nil
	if hasValue && hasList {
		return invalid(api.MsgExpectedBoth, e.Key)
	}
	if !v.ComparisonOperator.Set {
		return existsOne(e, hasValue, hasList, fault)
	}
	switch {
	case v.Exists.Set:
		return invalid(api.MsgExpectedExists, e.Key)
	case !hasValue && !hasList && comparisonOperands[operator].least > 0:
		return invalid(api.MsgExpectedOperand, operator, e.Key)
	case fault != nil:
		return invalid("%s", fault.Message())
	case hasValue:
		return compares(operator, []attr.Value{v.Value})
	}
	return compares(operator, v.AttributeValueList)
}

// existsOne checks an entry of Expected without an operator.
func existsOne(e *api.ExpectedAttributeMapEntry, hasValue, hasList bool, fault *attr.ValueError) error {
	exists := e.Value.Exists
	switch {
	case hasList:
		return invalid(api.MsgExpectedList, e.Key)
	case !exists.Set && !hasValue:
		return invalid(api.MsgExpectedValue, "null", e.Key)
	case exists.Value && !hasValue:
		return invalid(api.MsgExpectedValue, "true", e.Key)
	case exists.Set && !exists.Value && hasValue:
		return invalid(api.MsgExpectedAbsent, e.Key)
	case fault != nil:
		return invalid("%s", fault.Message())
	}
	return nil
}

// conditions checks QueryFilter or ScanFilter, which member names (wire-facts §8.2), an attribute after
// the other in the order of their names.
func conditions(member string, list []api.FilterConditionMapEntry, bad []api.BadValue) error {
	if n := len(list); n > conditionsMax {
		return invalid(api.MsgConditionsMany, n)
	}
	faults := faultsOf(bad)
	for i := range list {
		if err := conditionOne(member, list[i].Key, &list[i].Value, faults); err != nil {
			return err
		}
	}
	return nil
}

func conditionOne(member, name string, c *api.Condition, faults faults) error {
	if fault := faults.at(member, name); fault != nil {
		return invalid("%s", fault.Message())
	}
	return compares(c.ComparisonOperator.Value, c.AttributeValueList)
}

// Numbers of conditions on a key: of a table's or a local index's, and of any index's.
const (
	keyConditionsMax      = 2
	keyConditionsIndexMax = 8
)

// KeyConditions makes those static checks of Query that come after the compilation of expressions:
// KeyConditions, then their number (wire-facts §6.10 #8). A global index can have keys of several
// attributes, so a query of an index may have more conditions as far as the request tells (unsure).
func KeyConditions(in *api.QueryInput) error {
	faults := faultsOf(in.Bad)
	for i := range in.KeyConditions {
		e := &in.KeyConditions[i]
		if err := conditionOne(memberKeyConditions, e.Key, &e.Value, faults); err != nil {
			return err
		}
	}
	most := keyConditionsMax
	if in.IndexName.Set {
		most = keyConditionsIndexMax
	}
	if n := len(in.KeyConditions); n == 0 || n > most {
		return invalid(api.MsgKeyConditionCount)
	}
	return nil
}

// attributesToGet refuses a name that is there twice (wire-facts §8.5): the first that repeats.
func attributesToGet(names []string) error {
	if len(names) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return invalid(api.MsgDuplicateAttribute, name)
		}
		seen[name] = true
	}
	return nil
}

// updates checks AttributeUpdates (wire-facts §8.4), an attribute after the other in the order of
// their names.
func updates(list []api.AttributeUpdatesEntry, bad []api.BadValue) error {
	faults := faultsOf(bad)
	for i := range list {
		e := &list[i]
		fault := faults.at(memberAttributeUpdates, e.Key)
		if fault == nil {
			fault = nameFault(e.Key)
		}
		if fault != nil {
			return invalid("%s", fault.Message())
		}
		if err := updatesOne(e.Value.Action.Or(api.AttributeActionPut), e.Value.Value); err != nil {
			return err
		}
	}
	return nil
}

func updatesOne(action string, v attr.Value) error {
	t := wireType(v)
	switch {
	case v == nil && action != api.AttributeActionDelete:
		return invalid(api.MsgUpdateNoValue)
	case v == nil:
		return nil
	case action == api.AttributeActionDelete && !slices.Contains(deletable, t):
		return invalid(api.MsgUpdateDelete, t)
	case action == api.AttributeActionAdd && !slices.Contains(addable, t):
		return invalid(api.MsgUpdateAdd, t)
	}
	return nil
}

// Types whose values an action of AttributeUpdates takes; PUT takes all.
var (
	deletable = []attr.Type{attr.SS, attr.NS, attr.BS}
	addable   = []attr.Type{attr.N, attr.SS, attr.NS, attr.BS, attr.L}
)

// nameFault is what is wrong with the name of an attribute that an update writes. The constraints
// count its characters, the item its bytes.
func nameFault(name string) *attr.ValueError {
	switch {
	case name == "":
		return &attr.ValueError{Kind: attr.NameEmpty}
	case len(name) > attr.NameMaxBytes:
		return &attr.ValueError{Kind: attr.NameTooLong}
	}
	return nil
}

func isAbsent(v attr.Value) bool { return v == nil }

// faults has the bad values of a request by their places: a request may have as many as entries.
type faults map[string]*attr.ValueError

func faultsOf(bad []api.BadValue) faults {
	if len(bad) == 0 {
		return nil
	}
	f := make(faults, len(bad))
	for i := range bad {
		f[bad[i].Place] = &bad[i].Err
	}
	return f
}

// at is the fault of a part of a member, nil when it has none.
func (f faults) at(member, part string) *attr.ValueError {
	if f == nil {
		return nil
	}
	return f[member+"."+part]
}
