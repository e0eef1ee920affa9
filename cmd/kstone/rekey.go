package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine"
)

// rekeyCommand is one change of keys.
type rekeyCommand struct {
	old, young           filekey.Source
	full, decrypt, quiet bool
}

func newRekey() *cobra.Command {
	r := rekeyCommand{young: filekey.Source{Prefix: "new-"}}
	cmd := &cobra.Command{
		Use:   "rekey DB",
		Short: "Change the encryption key of a database file",
		Long: `Change the encryption key of a database file.

The data are encrypted with a key of the file's own, which is wrapped by yours. rekey replaces the wrapping:
that takes no time, however large DB is, and at any crash one of the two keys opens DB; the same command
again completes it. Copies and backups from before still need the old key.

Whoever had the old key may know the file's own one. --full writes the whole database anew under another
one; it also encrypts a DB that is not encrypted, from which the old key is left out. --decrypt writes it
without encryption. Both need the space of a second copy, and the old blocks stay readable on the disk
until the system uses them again; the next incremental backup must be a full one.

The key until now is given by --encryption-key-file, KSTONE_ENCRYPTION_KEY or --encryption-key-command, the
new one by --new-encryption-key-file, KSTONE_NEW_ENCRYPTION_KEY or --new-encryption-key-command. Nobody may
have DB open meanwhile.

The exit code is 0 if all went well, 1 after a failure, and 2 if the command line is wrong.`,
		Example: `  kstone rekey my.keystone --encryption-key-file old.key --new-encryption-key-file new.key
  kstone rekey my.keystone --full --new-encryption-key-command "vault kv get -field=key secret/kstone"`,
		Args: onePath("rekey"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd)
			defer stop()
			return r.run(ctx, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	r.old.AddFlags(f)
	r.young.AddFlags(f)
	f.BoolVar(&r.full, "full", false, "write everything anew under another key of the file's own")
	f.BoolVar(&r.decrypt, "decrypt", false, "write everything anew without encryption")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "print nothing when all goes well")
	return cmd
}

// check says what does not go together.
func (r *rekeyCommand) check() error {
	switch {
	case r.full && r.decrypt:
		return errors.New("--full and --decrypt exclude each other: leave one out")
	case r.decrypt && r.young.Given():
		return errors.New("--decrypt takes no new key: leave one out")
	case r.decrypt && !r.old.Given():
		return errors.New("the key until now is missing: give --encryption-key-file FILE, KSTONE_ENCRYPTION_KEY " +
			"or --encryption-key-command COMMAND")
	case !r.decrypt && !r.young.Given():
		return errors.New("the new key is missing: give --new-encryption-key-file FILE, KSTONE_NEW_ENCRYPTION_KEY " +
			"or --new-encryption-key-command COMMAND")
	}
	return nil
}

func (r *rekeyCommand) run(ctx context.Context, path string, stdout, stderr io.Writer) error {
	if err := r.check(); err != nil {
		return usage(err)
	}
	old, err := r.old.Key(ctx, stderr)
	defer clear(old)
	if err != nil {
		return err
	}
	young, err := r.young.Key(ctx, stderr)
	defer clear(young)
	if err != nil {
		return err
	}
	opts := engine.RekeyOptions{Key: old, NewKey: young}
	if !r.full && !r.decrypt {
		if err := engine.Rekey(path, opts); err != nil {
			return explainRekey(ctx, path, err)
		}
		return r.tell(stdout, path, "has a new key")
	}
	p := progressOn(stderr)
	opts.Progress = p.show
	err = engine.Reencrypt(ctx, path, opts)
	p.end()
	switch {
	case err != nil:
		return explainRekey(ctx, path, err)
	case r.decrypt:
		return r.tell(stdout, path, "is not encrypted any more")
	}
	return r.tell(stdout, path, "is encrypted anew")
}

func (r *rekeyCommand) tell(out io.Writer, path, what string) error {
	if r.quiet {
		return nil
	}
	_, err := fmt.Fprintf(out, "%s %s\n", path, what)
	return err
}

// explainRekey says in one line what is in the way.
func explainRekey(ctx context.Context, path string, err error) error {
	if errors.Is(err, engine.ErrNotEncrypted) {
		return fmt.Errorf("%s is not encrypted: leave the old key out, and give --full to encrypt it", path)
	}
	if text := filekey.Explain(path, err); text != nil {
		return text
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %s is as it was", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s", path)
	case errors.Is(err, engine.ErrLocked):
		return fmt.Errorf("%s is in use by another kstone: stop that one first", path)
	case errors.Is(err, engine.ErrForeign):
		return fmt.Errorf("%s is no database of kstone, or its head is damaged: restore a copy, or see what "+
			"kstone salvage finds in it", path)
	}
	return err
}
