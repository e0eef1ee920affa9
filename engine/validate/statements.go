package validate

import (
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
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
	if err := Constraints(opExecuteStatement, in); err != nil {
		return err
	}
	return parameters(in.Bad, "", len(in.Parameters))
}

// BatchExecuteStatement makes the static checks of wire-facts §6.15. A bad value refuses the whole
// request (unsure: it might be the error of its statement only).
func BatchExecuteStatement(in *api.BatchExecuteStatementInput) error {
	if err := Constraints(opBatchExecuteStatement, in); err != nil {
		return err
	}
	for i := range in.Statements {
		err := parameters(in.Bad, "Statements."+strconv.Itoa(i)+".", len(in.Statements[i].Parameters))
		if err != nil {
			return err
		}
	}
	return nil
}

// ExecuteTransaction makes the static checks of wire-facts §6.15.
func ExecuteTransaction(in *api.ExecuteTransactionInput) error {
	if err := Constraints(opExecuteTransaction, in); err != nil {
		return err
	}
	for i := range in.TransactStatements {
		err := parameters(in.Bad, "TransactStatements."+strconv.Itoa(i)+".",
			len(in.TransactStatements[i].Parameters))
		if err != nil {
			return err
		}
	}
	return nil
}

// parameters raises the first bad value among n parameters; place is where they are.
func parameters(bad []api.BadValue, place string, n int) error {
	if len(bad) == 0 {
		return nil
	}
	for i := range n {
		if err := badAt(bad, place+"Parameters."+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return nil
}
