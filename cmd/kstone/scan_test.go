package main

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/cmd/internal/show"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// pages is a table of three items on three pages, between which it calls a func.
type pages struct {
	api.Base
	between func(page int)
	asked   []int64 // the limit of each call, 0 for none
	err     error   // of the third page
}

func (p *pages) Scan(_ context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	n := len(p.asked)
	p.between(n)
	p.asked = append(p.asked, in.Limit.Value)
	if n == 2 && p.err != nil {
		return nil, p.err
	}
	out := &api.ScanOutput{}
	out.Items = append(out.Items, page(n))
	if n < 2 {
		out.LastEvaluatedKey = page(n)
	}
	return out, nil
}

func (p *pages) ExecuteStatement(_ context.Context, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	n := len(p.asked)
	p.between(n)
	p.asked = append(p.asked, 0)
	out := &api.ExecuteStatementOutput{Items: []attr.Item{page(n)}}
	if n < 2 {
		out.NextToken = api.Some("more")
	}
	return out, nil
}

func page(n int) attr.Item {
	it, err := attr.NewItem().Int("n", int64(n)).Build()
	if err != nil {
		panic(err)
	}
	return it
}

// on makes a session on a service, and what it prints.
func on(svc api.Service, format show.Format) (*session, *bytes.Buffer) {
	var out bytes.Buffer
	s := &session{Service: svc, cmd: new(cobra.Command)}
	s.cmd.SetOut(&out)
	s.out.Format = format
	return s, &out
}

// TestRowsComeByPage pins that what was read is printed before more is asked for, so that neither
// memory nor patience depends on the size of a table.
func TestRowsComeByPage(t *testing.T) {
	const lines = "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n"
	for name, run := range map[string]func(*session) error{
		"scan": func(s *session) error { return scan(s, new(scanFlags), "t") },
		"query": func(s *session) error {
			return executeAll(s, new(statementFlags), []statement{{"SELECT * FROM t", 1}}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			svc := new(pages)
			s, out := on(svc, show.JSONLines)
			svc.between = func(n int) { assert.Equal(t, lines[:n*len(lines)/3], out.String()) }
			require.NoError(t, run(s))
			assert.Equal(t, lines, out.String())
			assert.Len(t, svc.asked, 3)
		})
	}
}

// TestLimits pins that no more is read than is printed.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		flags scanFlags
		asked []int64
	}{
		{scanFlags{limit: 2}, []int64{2, 1}},
		{scanFlags{limit: 9}, []int64{9, 8, 7}},
		{scanFlags{limit: 2, filter: "n < 9"}, []int64{0, 0}},
	} {
		t.Run(fmt.Sprint(tt.flags.limit, tt.flags.filter), func(t *testing.T) {
			svc := &pages{between: func(int) {}}
			s, out := on(svc, show.Compact)
			require.NoError(t, scan(s, &tt.flags, "t"))
			assert.Equal(t, tt.asked, svc.asked)
			assert.Equal(t, min(int(tt.flags.limit), 3), bytes.Count(out.Bytes(), []byte("n")))
		})
	}
}

// TestCutShort pins that an array which a failure cut short is not closed: nobody may take it for
// the whole table.
func TestCutShort(t *testing.T) {
	svc := &pages{between: func(int) {}, err: api.Errorf(api.Throttling, "later")}
	s, out := on(svc, show.Compact)
	err := scan(s, new(scanFlags), "t")
	assert.Equal(t, api.Throttling, api.CodeOf(err))
	assert.Equal(t, `[{"n":0},{"n":1}`, out.String())
}
