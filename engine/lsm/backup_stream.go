package lsm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
)

// BackupTo writes a full backup as a stream, from which ReceiveBackup makes the file: for another process
// or machine. Nothing is written beside the database. Once the first byte is written, an error is in the
// stream, too.
func (db *DB) BackupTo(ctx context.Context, w io.Writer, opts BackupOptions) (CopyInfo, error) {
	if opts.Base != "" {
		return CopyInfo{}, errors.New("backup: a stream is of a full backup")
	}
	var info CopyInfo
	err := db.whileOpen(ctx, func(ctx context.Context) (err error) {
		v := db.view("backup")
		defer v.close()
		s := newfile.NewStream(w)
		if info, err = db.writeCopy(ctx, s, v.super.Align, v, nil, opts); err != nil {
			s.Fail(err)
			return err
		}
		note, err := json.Marshal(info)
		if err != nil {
			return err
		}
		return s.End(note)
	})
	if err != nil {
		return CopyInfo{}, fmt.Errorf("backup: %w", err)
	}
	return info, nil
}

// ReceiveBackup makes the file of a stream of BackupTo. It is whole and durable under its name, or not
// there at all. Progress is told what was written of an unknown total, which is 0.
func ReceiveBackup(ctx context.Context, path string, r io.Reader, opts RestoreOptions) (CopyInfo, error) {
	info, err := receiveBackup(ctx, path, r, opts)
	if err != nil {
		return CopyInfo{}, fmt.Errorf("backup to %s: %w", path, err)
	}
	return info, nil
}

func receiveBackup(ctx context.Context, path string, r io.Reader, opts RestoreOptions) (info CopyInfo, err error) {
	place, err := newfile.Open(Options{FS: opts.FS}.withDefaults().FS, path, opts.Overwrite)
	if err != nil {
		return info, err
	}
	note, err := newfile.Receive(r, place.File(), func(done int64) {
		if opts.Progress != nil {
			opts.Progress(done, 0)
		}
	})
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = json.Unmarshal(note, &info)
	}
	if err != nil {
		place.Abandon()
		return CopyInfo{}, err
	}
	return info, place.Commit()
}
