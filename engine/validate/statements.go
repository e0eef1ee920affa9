package validate

import (
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Operations of PartiQL.
const (
	opBatchExecuteStatement = "BatchExecuteStatement"
	opExecuteStatement      = "ExecuteStatement"
	opExecuteTransaction    = "ExecuteTransaction"
)

// ExecuteStatement makes the static checks of wire-facts §6.15: constraints, then the values of the
// parameters.
func ExecuteStatement(in *api.ExecuteStatementInput) error {
	if !fitsExecuteStatement(in) {
		if err := Constraints(opExecuteStatement, in); err != nil {
			return err
		}
	}
	return parameters(faultsOf(in.Bad), "", len(in.Parameters))
}

// BatchExecuteStatement makes the static checks of wire-facts §6.15. A bad value refuses the whole
// request (unsure: it might be the error of its statement only).
func BatchExecuteStatement(in *api.BatchExecuteStatementInput) error {
	if !fitsBatchExecuteStatement(in) {
		if err := Constraints(opBatchExecuteStatement, in); err != nil {
			return err
		}
	}
	faults := faultsOf(in.Bad)
	for i := range in.Statements {
		err := parameters(faults, "Statements."+strconv.Itoa(i)+".", len(in.Statements[i].Parameters))
		if err != nil {
			return err
		}
	}
	return nil
}

// ExecuteTransaction makes the static checks of wire-facts §6.15.
func ExecuteTransaction(in *api.ExecuteTransactionInput) error {
	if !fitsExecuteTransaction(in) {
		if err := Constraints(opExecuteTransaction, in); err != nil {
			return err
		}
	}
	faults := faultsOf(in.Bad)
	for i := range in.TransactStatements {
		err := parameters(faults, "TransactStatements."+strconv.Itoa(i)+".",
			len(in.TransactStatements[i].Parameters))
		if err != nil {
			return err
		}
	}
	return nil
}

// parameters raises the first bad value among n parameters; place is where they are.
func parameters(faults faults, place string, n int) error {
	if faults == nil {
		return nil
	}
	for i := range n {
		if fault := faults.at(place+"Parameters", strconv.Itoa(i)); fault != nil {
			return invalid("%s", fault.Message())
		}
	}
	return nil
}

// Lengths of the model; a text of as many bytes as characters are allowed is never too long.
const (
	statementLengthMax = 8192
	nextTokenLengthMax = 32768
	statementsMax      = 25
)

func fitsStatement(text api.Opt[string], params []attr.Value, onFailure api.Opt[string]) bool {
	return text.Set && text.Value != "" && len(text.Value) <= statementLengthMax &&
		(params == nil || len(params) > 0) && fitsOnFailure(onFailure)
}

func fitsExecuteStatement(in *api.ExecuteStatementInput) bool {
	token := &in.NextToken
	return fitsStatement(in.Statement, in.Parameters, in.ReturnValuesOnConditionCheckFailure) &&
		(!token.Set || token.Value != "" && len(token.Value) <= nextTokenLengthMax) &&
		(!in.Limit.Set || in.Limit.Value > 0) && fitsConsumed(in.ReturnConsumedCapacity)
}

func fitsBatchExecuteStatement(in *api.BatchExecuteStatementInput) bool {
	if n := len(in.Statements); n < 1 || n > statementsMax || !fitsConsumed(in.ReturnConsumedCapacity) {
		return false
	}
	for i := range in.Statements {
		s := &in.Statements[i]
		if !fitsStatement(s.Statement, s.Parameters, s.ReturnValuesOnConditionCheckFailure) {
			return false
		}
	}
	return true
}

func fitsExecuteTransaction(in *api.ExecuteTransactionInput) bool {
	t := in.ClientRequestToken
	if n := len(in.TransactStatements); n < 1 || n > transactItemsMax ||
		!fitsConsumed(in.ReturnConsumedCapacity) ||
		t.Set && (t.Value == "" || len(t.Value) > tokenLengthMax) {
		return false
	}
	for i := range in.TransactStatements {
		s := &in.TransactStatements[i]
		if !fitsStatement(s.Statement, s.Parameters, s.ReturnValuesOnConditionCheckFailure) {
			return false
		}
	}
	return true
}
