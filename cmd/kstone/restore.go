package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine"
)

// restoreCommand is one restore.
type restoreCommand struct {
	force, quiet bool
	key          filekey.Source
}

func newRestore() *cobra.Command {
	var r restoreCommand
	cmd := &cobra.Command{
		Use:   "restore BASE [INCREMENTAL...] DB",
		Short: "Make the database DB of backups",
		Long: `Make the database DB of backups.

BASE is a full backup, the others are incremental ones in the order in which they were made. Every byte of
them is verified. DB is the state of the last one. Backups that do not belong together, damaged ones and
those that were opened for writing since are refused, and nothing is left of DB then. Encrypted ones need
the key of one of them; it is that of DB afterwards.`,
		Example: "  kstone restore monday.keystone tuesday.backup wednesday.backup my.keystone",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("want kstone restore BASE [INCREMENTAL...] DB: see kstone restore --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			last := len(args) - 1
			return r.run(ctx, args[:last], args[last], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	r.key.AddFlags(f)
	f.BoolVar(&r.force, "force", false, "replace DB if it is there")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "print nothing when all goes well")
	return cmd
}

func (r *restoreCommand) run(ctx context.Context, backups []string, path string, stdout, stderr io.Writer) error {
	key, err := r.key.Key(ctx, stderr)
	defer clear(key)
	if err != nil {
		return err
	}
	p := progressOn(stderr)
	info, err := engine.RestoreBackups(ctx, path, backups, engine.RestoreOptions{
		EncryptionKey: key, Overwrite: r.force, Progress: p.show,
	})
	p.end()
	if err != nil {
		return explainCopy(ctx, err)
	}
	return tellCopy(stdout, "restored", path, r.quiet, info)
}
