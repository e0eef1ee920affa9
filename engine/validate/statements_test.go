package validate

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func (p picker) statement() api.Opt[string] {
	return p.opt("a", strings.Repeat("a", 50), strings.Repeat("x", statementLengthMax), "SELECT",
		[]string{"", strings.Repeat("x", statementLengthMax+1), strings.Repeat("é", statementLengthMax)}[p.IntN(3)])
}

func (p picker) parameters() []attr.Value {
	switch p.IntN(5) {
	case 0:
		return []attr.Value{}
	case 1:
		return []attr.Value{attr.Int(1), attr.String("x")}
	}
	return nil
}

// TestStatementsFastPathAgrees: what the checks by hand let through, the tables let through too.
func TestStatementsFastPathAgrees(t *testing.T) {
	p := picker{Rand: rand.New(rand.NewPCG(1, 2))}
	good := map[string]int{}
	agree := func(op string, in any, fits bool) {
		if fits {
			good[op]++
			require.NoError(t, Constraints(op, in), "%+v", in)
		}
	}
	for range 3000 {
		one := &api.ExecuteStatementInput{
			Statement: p.statement(), Parameters: p.parameters(), Limit: p.num(0, 1, -1, 100),
			NextToken:                           p.opt("x", "", strings.Repeat("x", nextTokenLengthMax), strings.Repeat("x", nextTokenLengthMax+1)),
			ReturnConsumedCapacity:              p.consumed(),
			ReturnValuesOnConditionCheckFailure: p.failure(),
		}
		agree(opExecuteStatement, one, fitsExecuteStatement(one))
		batch := &api.BatchExecuteStatementInput{ReturnConsumedCapacity: p.consumed()}
		transaction := &api.ExecuteTransactionInput{
			ReturnConsumedCapacity: p.consumed(), ClientRequestToken: p.opt("x", "", strings.Repeat("x", 36), strings.Repeat("x", 37)),
		}
		for range p.IntN(4) {
			batch.Statements = append(batch.Statements, api.BatchStatementRequest{
				Statement: p.statement(), Parameters: p.parameters(), ReturnValuesOnConditionCheckFailure: p.failure(),
			})
			transaction.TransactStatements = append(transaction.TransactStatements, api.ParameterizedStatement{
				Statement: p.statement(), Parameters: p.parameters(), ReturnValuesOnConditionCheckFailure: p.failure(),
			})
		}
		agree(opBatchExecuteStatement, batch, fitsBatchExecuteStatement(batch))
		agree(opExecuteTransaction, transaction, fitsExecuteTransaction(transaction))
	}
	require.Len(t, good, 3, "every operation was good at times: %v", good)
}

// TestStatementLimits holds the numbers of statements (wire-facts §9).
func TestStatementLimits(t *testing.T) {
	batch, transaction := &api.BatchExecuteStatementInput{}, &api.ExecuteTransactionInput{}
	for range statementsMax {
		batch.Statements = append(batch.Statements, api.BatchStatementRequest{Statement: str("x")})
	}
	for range transactItemsMax {
		transaction.TransactStatements = append(transaction.TransactStatements, api.ParameterizedStatement{Statement: str("x")})
	}
	require.NoError(t, BatchExecuteStatement(batch))
	require.NoError(t, ExecuteTransaction(transaction))
	batch.Statements = append(batch.Statements, batch.Statements[0])
	transaction.TransactStatements = append(transaction.TransactStatements, transaction.TransactStatements[0])
	require.ErrorContains(t, BatchExecuteStatement(batch), "Member must have length less than or equal to 25")
	require.ErrorContains(t, ExecuteTransaction(transaction), "Member must have length less than or equal to 100")
}
