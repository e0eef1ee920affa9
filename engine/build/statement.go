package build

import (
	"context"
	"iter"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// batchStatementsMax is the service's limit on the statements of one batch.
const batchStatementsMax = 25

// Statement is a statement of PartiQL.
type Statement struct {
	client *Client
	in     api.ExecuteStatementInput
	limit  int64
	err    error
}

// Statement makes a statement; the arguments, values of any type, stand for its question marks.
func (c *Client) Statement(text string, args ...any) *Statement {
	s := &Statement{client: c}
	s.in.Statement = api.Some(text)
	for _, a := range args {
		v, err := toValue(a)
		if err != nil {
			s.fail(err)
			break
		}
		s.in.Parameters = append(s.in.Parameters, v)
	}
	return s
}

func (s *Statement) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Consistent reads what was written last.
func (s *Statement) Consistent() *Statement {
	s.in.ConsistentRead = api.Some(true)
	return s
}

// Limit ends Rows and All after n rows.
func (s *Statement) Limit(n int) *Statement {
	if n < 1 {
		s.fail(invalid(msgLimit, "the limit", n))
	}
	s.limit = int64(n)
	return s
}

// PageSize bounds the items that one request looks at; default is what fits into 1 MB.
func (s *Statement) PageSize(n int) *Statement {
	if n < 1 {
		s.fail(invalid(msgLimit, "the page size", n))
	}
	s.in.Limit = api.Some(int64(n))
	return s
}

// From begins where a page ended: the Next of a StatementPage.
func (s *Statement) From(next string) *Statement {
	s.in.NextToken = api.Opt[string]{Value: next, Set: next != ""}
	return s
}

// ItemOnFailure puts the present item into the error when the condition of a write does not hold.
func (s *Statement) ItemOnFailure() *Statement {
	s.in.ReturnValuesOnConditionCheckFailure = api.Some(api.ReturnValuesOnConditionCheckFailureAllOld)
	return s
}

// Exec runs a statement whose rows, if it has any, do not matter: INSERT, UPDATE, DELETE.
func (s *Statement) Exec(ctx context.Context) error {
	_, err := s.Page(ctx)
	return err
}

// StatementPage is what one request of a statement found.
type StatementPage struct {
	Rows []attr.Item
	// Next is where the next page begins, for From; "" when there is none.
	Next string
}

// Page makes one request.
func (s *Statement) Page(ctx context.Context) (*StatementPage, error) {
	return s.page(ctx, s.in.NextToken)
}

func (s *Statement) page(ctx context.Context, next api.Opt[string]) (*StatementPage, error) {
	if s.err != nil {
		return nil, s.err
	}
	in := s.in
	in.NextToken = next
	out, err := s.client.service.ExecuteStatement(ctx, &in)
	if err != nil {
		return nil, err
	}
	return &StatementPage{Rows: out.Items, Next: out.NextToken.Value}, nil
}

// Rows runs the statement and goes through its rows, reading page by page. The first error ends it. Rows
// are the caller's to keep.
func (s *Statement) Rows(ctx context.Context) iter.Seq2[attr.Item, error] {
	return func(yield func(attr.Item, error) bool) {
		next, wanted := s.in.NextToken, s.limit
		for {
			page, err := s.page(ctx, next)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range page.Rows {
				if !yield(row, nil) {
					return
				}
				if wanted--; wanted == 0 { // below zero without a limit
					return
				}
			}
			if page.Next == "" {
				return
			}
			next = api.Some(page.Next)
		}
	}
}

// All runs the statement and returns its rows.
func (s *Statement) All(ctx context.Context) ([]attr.Item, error) {
	var all []attr.Item
	for row, err := range s.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// BatchStatements are several statements, each on its own.
type BatchStatements struct {
	client     *Client
	statements []*Statement
}

// BatchStatements begins a batch of any number of statements that each read or write one item, sent in
// requests of 25; the service takes only reads or only writes in one.
func (c *Client) BatchStatements(statements ...*Statement) *BatchStatements {
	return &BatchStatements{client: c, statements: statements}
}

// Add adds statements.
func (b *BatchStatements) Add(statements ...*Statement) *BatchStatements {
	b.statements = append(b.statements, statements...)
	return b
}

// Run runs the statements and returns one response for each, in their order: its item if it reads one,
// or its error. After an error of a request those of earlier ones have run.
func (b *BatchStatements) Run(ctx context.Context) ([]api.BatchStatementResponse, error) {
	for _, s := range b.statements {
		if s.err != nil {
			return nil, s.err
		}
	}
	var all []api.BatchStatementResponse
	for rest := b.statements; len(rest) > 0; {
		part := rest[:min(len(rest), batchStatementsMax)]
		rest = rest[len(part):]
		in := &api.BatchExecuteStatementInput{}
		for _, s := range part {
			in.Statements = append(in.Statements, api.BatchStatementRequest{
				Statement: s.in.Statement, Parameters: s.in.Parameters, ConsistentRead: s.in.ConsistentRead,
				ReturnValuesOnConditionCheckFailure: s.in.ReturnValuesOnConditionCheckFailure,
			})
		}
		out, err := b.client.service.BatchExecuteStatement(ctx, in)
		if err != nil {
			return all, err
		}
		all = append(all, out.Responses...)
	}
	return all, nil
}

// TransactStatements are several statements, all or none.
type TransactStatements struct {
	client     *Client
	statements []*Statement
	token      api.Opt[string]
}

// TransactStatements begins a transaction of up to 100 statements, only reads or only writes.
func (c *Client) TransactStatements(statements ...*Statement) *TransactStatements {
	return &TransactStatements{client: c, statements: statements}
}

// Add adds statements.
func (x *TransactStatements) Add(statements ...*Statement) *TransactStatements {
	x.statements = append(x.statements, statements...)
	return x
}

// Token makes repeats of the same transaction within ten minutes succeed without doing it again.
func (x *TransactStatements) Token(token string) *TransactStatements {
	x.token = api.Some(token)
	return x
}

// Run runs the statements and returns the item of each that reads one, in their order, nil for the others
// and for those without. An error with the code TransactionCanceled has one reason for each statement.
func (x *TransactStatements) Run(ctx context.Context) ([]attr.Item, error) {
	in := &api.ExecuteTransactionInput{ClientRequestToken: x.token}
	for _, s := range x.statements {
		if s.err != nil {
			return nil, s.err
		}
		in.TransactStatements = append(in.TransactStatements, api.ParameterizedStatement{
			Statement: s.in.Statement, Parameters: s.in.Parameters,
			ReturnValuesOnConditionCheckFailure: s.in.ReturnValuesOnConditionCheckFailure,
		})
	}
	out, err := x.client.service.ExecuteTransaction(ctx, in)
	if err != nil {
		return nil, err
	}
	items := make([]attr.Item, len(out.Responses))
	for i, r := range out.Responses {
		items[i] = r.Item
	}
	return items, nil
}
