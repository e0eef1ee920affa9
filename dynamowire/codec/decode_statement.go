package codec

import (
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Members of statements whose values have places.
const (
	memberParameters         = "Parameters"
	memberStatements         = "Statements"
	memberTransactStatements = "TransactStatements"
)

// ExecuteStatement reads the body of an ExecuteStatement.
func (d *Decoder) ExecuteStatement(body []byte) (*api.ExecuteStatementInput, error) {
	in := &d.executeStatement
	*in = api.ExecuteStatementInput{}
	if d.top(opExecuteStatement, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "Statement":
				d.str(&in.Statement)
			case memberParameters:
				d.parameters(&in.Parameters, place{})
			case "ConsistentRead":
				d.boolean(&in.ConsistentRead)
			case "NextToken":
				d.str(&in.NextToken)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			case "Limit":
				d.integer(&in.Limit)
			case "ReturnValuesOnConditionCheckFailure":
				d.str(&in.ReturnValuesOnConditionCheckFailure)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

// parameters reads the Parameters of a statement, which is at a place. One that is null is absent
// and not bad, other than the values of items.
func (d *Decoder) parameters(dst *[]attr.Value, at place) {
	*dst = nil
	at.tail = memberParameters
	d.forgetAll(at)
	if !d.list() {
		return
	}
	start := len(d.slab.params)
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		var v attr.Value
		if !d.s.Null() {
			at.key = strconv.Itoa(len(d.slab.params) - start)
			v = d.standalone(at, msgValueType)
		}
		d.slab.params = append(d.slab.params, v)
	}
	*dst = part(d.slab.params, start)
}

// forgetAll is forget with the member's place, whose text it makes only when there are faults.
func (d *Decoder) forgetAll(at place) {
	if len(d.bad) > 0 {
		d.forget(at.String())
	}
}

// BatchExecuteStatement reads the body of a BatchExecuteStatement.
func (d *Decoder) BatchExecuteStatement(body []byte) (*api.BatchExecuteStatementInput, error) {
	in := &d.batchExecuteStatement
	room := in.Statements[:0]
	*in = api.BatchExecuteStatementInput{}
	if d.top(opBatchExecuteStatement, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case memberStatements:
				in.Statements = structures(d, room, memberStatements, "BatchStatementRequest", (*Decoder).batchStatement)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

func (d *Decoder) batchStatement(s *api.BatchStatementRequest, key []byte, at place) {
	switch string(key) {
	case "Statement":
		d.str(&s.Statement)
	case memberParameters:
		d.parameters(&s.Parameters, at)
	case "ConsistentRead":
		d.boolean(&s.ConsistentRead)
	case "ReturnValuesOnConditionCheckFailure":
		d.str(&s.ReturnValuesOnConditionCheckFailure)
	default:
		d.s.Skip()
	}
}

// ExecuteTransaction reads the body of an ExecuteTransaction.
func (d *Decoder) ExecuteTransaction(body []byte) (*api.ExecuteTransactionInput, error) {
	in := &d.executeTransaction
	room := in.TransactStatements[:0]
	*in = api.ExecuteTransactionInput{}
	if d.top(opExecuteTransaction, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case memberTransactStatements:
				in.TransactStatements = structures(
					d, room, memberTransactStatements, "ParameterizedStatement", (*Decoder).transactStatement)
			case "ClientRequestToken":
				d.str(&in.ClientRequestToken)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

func (d *Decoder) transactStatement(s *api.ParameterizedStatement, key []byte, at place) {
	switch string(key) {
	case "Statement":
		d.str(&s.Statement)
	case memberParameters:
		d.parameters(&s.Parameters, at)
	case "ReturnValuesOnConditionCheckFailure":
		d.str(&s.ReturnValuesOnConditionCheckFailure)
	default:
		d.s.Skip()
	}
}
