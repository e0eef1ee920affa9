package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/validate"
)

// Global tables of version 2017.11.29: the service makes none any more, since 2026 in no region, and knows none by
// these operations but older ones. So there are none here. What they were for is UpdateTable's (global_tables.go).

// CreateGlobalTable refuses, as the service.
func (db *core) CreateGlobalTable(_ context.Context, in *api.CreateGlobalTableInput) (*api.CreateGlobalTableOutput, error) {
	return nil, validate.CreateGlobalTable(in, db.rules)
}

// noGlobalTable is the error of the others.
func noGlobalTable(name api.Opt[string], err error) error {
	if err != nil {
		return err
	}
	return api.Errorf(api.GlobalTableNotFound, api.MsgGlobalLegacyNotFound, name.Value)
}

// DescribeGlobalTable finds none.
func (db *core) DescribeGlobalTable(_ context.Context, in *api.DescribeGlobalTableInput) (*api.DescribeGlobalTableOutput, error) {
	return nil, noGlobalTable(in.GlobalTableName, validate.DescribeGlobalTable(in, db.rules))
}

// DescribeGlobalTableSettings finds none.
func (db *core) DescribeGlobalTableSettings(_ context.Context, in *api.DescribeGlobalTableSettingsInput) (*api.DescribeGlobalTableSettingsOutput, error) {
	return nil, noGlobalTable(in.GlobalTableName, validate.DescribeGlobalTableSettings(in, db.rules))
}

// UpdateGlobalTable finds none.
func (db *core) UpdateGlobalTable(_ context.Context, in *api.UpdateGlobalTableInput) (*api.UpdateGlobalTableOutput, error) {
	return nil, noGlobalTable(in.GlobalTableName, validate.UpdateGlobalTable(in, db.rules))
}

// UpdateGlobalTableSettings finds none.
func (db *core) UpdateGlobalTableSettings(_ context.Context, in *api.UpdateGlobalTableSettingsInput) (*api.UpdateGlobalTableSettingsOutput, error) {
	return nil, noGlobalTable(in.GlobalTableName, validate.UpdateGlobalTableSettings(in, db.rules))
}

// ListGlobalTables lists none.
func (db *core) ListGlobalTables(_ context.Context, in *api.ListGlobalTablesInput) (*api.ListGlobalTablesOutput, error) {
	if err := validate.ListGlobalTables(in, db.rules); err != nil {
		return nil, err
	}
	return &api.ListGlobalTablesOutput{GlobalTables: []api.GlobalTable{}}, nil
}
