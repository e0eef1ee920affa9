package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/items"
	"github.com/keystone-db/kstone/cmd/internal/show"
	"github.com/keystone-db/kstone/engine/build"
)

const (
	// completionWait bounds the wait of a person who pressed the tabulator.
	completionWait = 2 * time.Second
	// completionTablesMax bounds how many names are looked at.
	completionTablesMax = 1000
)

// completeArguments completes PATH by files and TABLE by the names in the database. A file that a
// server has open is left alone and gives none.
func (s *session) completeArguments(hasTable bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if s.target.Endpoint == "" {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			s.target.Path, args = args[0], args[1:]
		}
		if !hasTable || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s.cmd = cmd
		return s.tableNames(begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// tableNames are the names of tables that begin so; none if the database cannot be opened.
func (s *session) tableNames(begun string) []string {
	ctx, cancel := context.WithTimeout(s.ctx(), completionWait)
	defer cancel()
	if s.getKey(ctx, io.Discard) != nil {
		return nil
	}
	defer clear(s.target.Key)
	s.target.ReadOnly = true
	svc, err := s.target.Open(ctx)
	if err != nil {
		return nil
	}
	defer svc.Close()
	var names []string
	seen := 0
	for name, err := range build.New(svc).Tables(ctx) {
		if seen++; err != nil || seen > completionTablesMax {
			break
		}
		if strings.HasPrefix(name, begun) {
			names = append(names, name)
		}
	}
	return names
}

// completeFlags completes the flags that take one of a few words.
func completeFlags(cmd *cobra.Command) {
	for flag, words := range map[string][]string{flagOutput: show.FormatNames(), flagJSON: items.FormNames()} {
		// The only error is that there is no such flag.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}
