package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/policy"
	"github.com/keystone-db/kstone/engine/validate"
)

// noPolicy is the ExpectedRevisionId of who expects that there is none.
const noPolicy = "NO_POLICY"

// policed is what a ResourceArn names.
type policed struct {
	arn   string
	table string
	label string // of a stream; empty for the table
	// stream says of a label whether there is such a stream of the table.
	stream func(label string) bool
}

// policedOf reads a ResourceArn that was checked. The policy belongs to the database's own ARN, whatever
// region and account the client wrote.
func (db *core) policedOf(arn string) policed {
	if path, ok := validate.Stream(arn); ok {
		table, label, _ := strings.Cut(path, catalog.StreamInfix)
		return db.policedPart(table, label)
	}
	return db.policedPart(tableName(arn), "")
}

// policedPart is a table, or with a label its stream.
func (db *core) policedPart(table, label string) policed {
	p := policed{arn: db.tableARN(table), table: table, label: label}
	if label != "" {
		p.arn = db.tableARN(catalog.StreamPath(table, label))
		p.stream = func(label string) bool { return db.catalog.Stream(catalog.StreamPath(table, label)) != nil }
	}
	return p
}

// of is the policy in a record, nil for none, and whether the record has the resource at all.
func (p *policed) of(r *catalog.Record) (*catalog.Policy, bool) {
	if p.label == "" {
		return r.Policy, true
	}
	if !p.stream(p.label) {
		return nil, false
	}
	if at, ok := r.StreamPolicies[p.label]; ok {
		return &at, true
	}
	return nil, true
}

// set puts a policy into a record; nil removes it. Policies of streams that are gone go too.
func (p *policed) set(r *catalog.Record, at *catalog.Policy) {
	if p.label == "" {
		r.Policy = at
		return
	}
	maps.DeleteFunc(r.StreamPolicies, func(label string, _ catalog.Policy) bool { return label == p.label || !p.stream(label) })
	if at != nil {
		if r.StreamPolicies == nil {
			r.StreamPolicies = map[string]catalog.Policy{}
		}
		r.StreamPolicies[p.label] = *at
	}
}

// lookupPoliced finds the table of a policy in any state.
func (db *core) lookupPoliced(ctx context.Context, p *policed) (*catalog.Table, error) {
	t, err := db.catalog.Lookup(ctx, p.table)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, p.notFound()
	}
	return t, err
}

func (p *policed) notFound() error {
	if p.label != "" {
		return api.Errorf(api.ResourceNotFound, api.MsgPolicyStream, p.label, p.table)
	}
	return api.Errorf(api.ResourceNotFound, api.MsgTableNotFound, p.table)
}

// PutResourcePolicy sets the policy of a table or of its stream. The same document again keeps its revision.
func (db *core) PutResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	if err := validate.PutResourcePolicy(in); err != nil {
		return nil, err
	}
	p := db.policedOf(in.ResourceArn.Value)
	if _, err := db.lookupPoliced(ctx, &p); err != nil {
		return nil, err
	}
	if err := db.checkPolicy(ctx, &p, in.Policy.Value, in.ConfirmRemoveSelfResourceAccess.Value); err != nil {
		return nil, err
	}
	var revision string
	_, err := db.catalog.Update(ctx, p.table, false, func(r *catalog.Record) error {
		old, ok := p.of(r)
		if !ok {
			return p.notFound()
		}
		if err := expectRevision(in.ExpectedRevisionId, old, p.table); err != nil {
			return err
		}
		if old != nil && old.Document == in.Policy.Value {
			revision = old.Revision
			return nil
		}
		if r.Status == catalog.StatusDeleting {
			return busy(r)
		}
		revision = db.newRevision(old)
		p.set(r, &catalog.Policy{Document: in.Policy.Value, Revision: revision})
		return nil
	})
	if errors.Is(err, catalog.ErrNotFound) {
		err = p.notFound()
	}
	if err != nil {
		return nil, err
	}
	return &api.PutResourcePolicyOutput{RevisionId: api.Some(revision)}, nil
}

// newRevision is a number that was not a revision of the policy before.
func (db *core) newRevision(old *catalog.Policy) string {
	next := db.exec.Now().UnixMilli()
	if old != nil {
		if last, err := strconv.ParseInt(old.Revision, 10, 64); err == nil && last >= next {
			next = last + 1
		}
	}
	return strconv.FormatInt(next, 10)
}

// expectRevision refuses a change of another policy than the caller knows.
func expectRevision(want api.Opt[string], old *catalog.Policy, table string) error {
	switch {
	case !want.Set:
		return nil
	case want.Value == noPolicy && old == nil:
		return nil
	case want.Value == noPolicy:
		return api.Errorf(api.PolicyNotFound, api.MsgPolicyUnexpected, table, old.Revision)
	case old == nil:
		return api.Errorf(api.PolicyNotFound, api.MsgPolicyNone, want.Value, table)
	case want.Value != old.Revision:
		return api.Errorf(api.PolicyNotFound, api.MsgPolicyRevision, want.Value, table, old.Revision)
	}
	return nil
}

// checkPolicy refuses documents that are no policies, or let everybody in, and one by which its caller could not put
// another unless that is confirmed.
func (db *core) checkPolicy(ctx context.Context, p *policed, document string, confirmed bool) error {
	if len(document) > policy.DocumentMaxBytes {
		return api.Errorf(api.Validation, api.MsgPolicySize, policy.DocumentMaxBytes)
	}
	doc, err := policy.Parse(document)
	switch {
	case errors.Is(err, policy.ErrPrincipal):
		return api.Errorf(api.Validation, api.MsgPolicyPrincipal)
	case err != nil:
		return api.Errorf(api.Validation, api.MsgPolicyInvalid, err.Error())
	case doc.Unbounded():
		return api.Errorf(api.Validation, api.MsgPolicyUnbounded)
	}
	who := api.CallerOf(ctx)
	if who != nil && !confirmed && doc.Decide(db.policyRequest(who, "PutResourcePolicy", p.arn)) == policy.Deny {
		return api.Errorf(api.AccessDenied, api.MsgPolicyLocksOut)
	}
	return nil
}

// setPolicy puts the policy of a CreateTable into its record.
func (db *core) setPolicy(ctx context.Context, r *catalog.Record, document string) error {
	p := db.policedPart(r.Table.Name, "")
	if err := db.checkPolicy(ctx, &p, document, true); err != nil {
		return err
	}
	r.Policy = &catalog.Policy{Document: document, Revision: db.newRevision(nil)}
	return nil
}

// GetResourcePolicy answers the policy of a table or stream as it was put.
func (db *core) GetResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	if err := validate.GetResourcePolicy(in); err != nil {
		return nil, err
	}
	p := db.policedOf(in.ResourceArn.Value)
	t, err := db.lookupPoliced(ctx, &p)
	if err != nil {
		return nil, err
	}
	at, ok := p.of(&t.Record)
	if !ok {
		return nil, p.notFound()
	}
	if at == nil {
		return nil, api.Errorf(api.PolicyNotFound, api.MsgPolicyNotFound, p.arn)
	}
	return &api.GetResourcePolicyOutput{Policy: api.Some(at.Document), RevisionId: api.Some(at.Revision)}, nil
}

// DeleteResourcePolicy removes the policy of a table or stream. Without one there is nothing to do, unless
// a revision is expected.
func (db *core) DeleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	if err := validate.DeleteResourcePolicy(in); err != nil {
		return nil, err
	}
	p := db.policedOf(in.ResourceArn.Value)
	out := new(api.DeleteResourcePolicyOutput)
	_, err := db.catalog.Update(ctx, p.table, false, func(r *catalog.Record) error {
		old, ok := p.of(r)
		if !ok {
			return p.notFound()
		}
		if err := expectRevision(in.ExpectedRevisionId, old, p.table); err != nil || old == nil {
			return err
		}
		if r.Status == catalog.StatusDeleting {
			return busy(r)
		}
		out.RevisionId = api.Some(old.Revision)
		p.set(r, nil)
		return nil
	})
	if errors.Is(err, catalog.ErrNotFound) {
		err = p.notFound()
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// policyRequest is a request of a caller, without what only an input tells.
func (db *core) policyRequest(who *api.Caller, action, resource string) *policy.Request {
	now := db.exec.Now()
	keys := map[string][]string{
		policy.KeyPrincipalArn: {who.Arn}, policy.KeyPrincipalAccount: {who.Account}, policy.KeyPrincipalType: {"User"},
		policy.KeyUserName:        {who.User},
		policy.KeyCurrentTime:     {now.UTC().Format("2006-01-02T15:04:05Z")},
		policy.KeyEpochTime:       {strconv.FormatInt(now.Unix(), 10)},
		policy.KeySecureTransport: {strconv.FormatBool(who.Secure)},
	}
	if who.SourceIP != "" {
		keys[policy.KeySourceIP] = []string{who.SourceIP}
	}
	return &policy.Request{
		Principal: who.Arn, Account: who.Account, Action: action, Resource: resource, Keys: keys, Unknown: map[string]bool{},
	}
}

// Policed implements api.Authorizer.
func (db *DB) Policed() bool { return db.served.Load().catalog.Policed() }

// Authorize implements api.Authorizer. A policy that cannot be read denies everything.
func (db *DB) Authorize(who *api.Caller, right *api.Right, in any) api.Decision {
	return db.served.Load().authorize(who, right, in)
}

func (db *core) authorize(who *api.Caller, right *api.Right, in any) api.Decision {
	t := db.catalog.Cached(right.Table)
	if t == nil {
		return api.PolicySilent
	}
	label, isStream := strings.CutPrefix(right.Part, catalog.StreamInfix)
	if !isStream {
		label = ""
	}
	p := db.policedPart(right.Table, label)
	at, _ := p.of(&t.Record)
	if at == nil {
		return api.PolicySilent
	}
	doc, err := db.policies.parse(at, p.arn)
	if err != nil {
		db.opts.Logger.Error().Err(fmt.Errorf("policy of %s: %w", p.arn, err)).Msg("nobody gets in until it is put again or deleted")
		return api.PolicyDenies
	}
	resource := p.arn
	if p.label == "" {
		resource += right.Part
	}
	r := db.policyRequest(who, right.Action, resource)
	db.describeRequest(r, doc, t, right, in)
	switch doc.Decide(r) {
	case policy.Allow:
		return api.PolicyAllows
	case policy.Deny:
		return api.PolicyDenies
	}
	return api.PolicySilent
}
