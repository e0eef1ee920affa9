package dynamowire

import (
	"cmp"
	"context"
	"net"
	"reflect"
	"strings"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
)

// msgDenied is wire-facts §1.8 #15; what follows the ARN is unsure.
const msgDenied = "User: arn:aws:iam::%[1]s:user/%[2]s is not authorized to perform: %[3]s on resource: %[4]s " +
	"because no identity-based policy allows the %[3]s action"

// msgDeniedByPolicy is a denial by the resource's own policy.
const msgDeniedByPolicy = "User: arn:aws:iam::%[1]s:user/%[2]s is not authorized to perform: %[3]s on resource: %[4]s " +
	"with an explicit deny in a resource-based policy"

// msgDeniedAbroad is a refusal of who is of another account, whom the resource's policy must let in
// (unsure: the text).
const msgDeniedAbroad = "User: arn:aws:iam::%[1]s:user/%[2]s is not authorized to perform: %[3]s on resource: %[4]s " +
	"because no resource-based policy allows the %[3]s action"

// StatementAction is the right that a PartiQL statement needs.
type StatementAction string

// The rights of statements. EXISTS and EXPLAIN only read.
const (
	StatementSelect StatementAction = "PartiQLSelect"
	StatementInsert StatementAction = "PartiQLInsert"
	StatementUpdate StatementAction = "PartiQLUpdate"
	StatementDelete StatementAction = "PartiQLDelete"
)

// Actions that are no operations, and those on the objects of a bucket.
const (
	actionConditionCheck = "ConditionCheckItem"
	actionGetObject      = "s3:GetObject"
	actionPutObject      = "s3:PutObject"
	servicePrefix        = "dynamodb:"
)

// opPutPolicy tells the service who calls, who might lock himself out.
const opPutPolicy = "PutResourcePolicy"

// noTable is the resource of operations that are about no single table.
const noTable = "*"

// Defaults of Access.
const (
	regionDefault  = "us-east-1"
	accountDefault = "123456789012"
)

// Access says what an access key may do, for every door alike. The zero value knows no statements. It
// is not changed and may be used by many requests at once.
type Access struct {
	// Region and Account stand in refusals; defaults us-east-1 and 123456789012.
	Region  string
	Account string
	// StatementAccess says which table a PartiQL statement names and what it does with it; ok is false
	// for one that does not parse. With nil, keys that may not do everything may not run statements at
	// all.
	StatementAccess func(statement string) (table, index string, action StatementAction, ok bool)
	// Policies decides by the resource policies, which may deny what a key may do and allow what it may
	// not; nil when there are none.
	Policies api.Authorizer
	// Peer tells from the context of a request where it comes from and whether by TLS, for May; nil when
	// that is not known.
	Peer func(ctx context.Context) (address string, secure bool)
}

// withDefaults fills in what is left out.
func (a Access) withDefaults() Access {
	if a.Region == "" {
		a.Region = regionDefault
	}
	if a.Account == "" {
		a.Account = accountDefault
	}
	return a
}

// May says whether the holder of a key may make a request: in is a pointer to the operation's input,
// such as *api.PutItemInput, or *api.SubscribeInput, and is asked about before the operation validates
// it. A nil key may do everything. The service must be called with the context that is returned: of a
// BatchExecuteStatement only those statements fail that the key may not run, which the context tells. The
// error is AccessDenied.
func (a Access) May(ctx context.Context, key *sigv4.Key, operation string, in any) (context.Context, error) {
	if c := a.callerIn(ctx, key, operation); c != nil {
		return c.may(ctx, in)
	}
	return ctx, nil
}

// caller is one who may not do everything.
type caller struct {
	key    *sigv4.Key
	access Access
	op     string
	// from is the address with a port that the request comes from, empty when it is not known; secure
	// that it came over TLS.
	from   string
	secure bool
}

// callerOf is nil for a key that may do everything, which therefore costs nothing here.
func (a Access) callerOf(key *sigv4.Key, operation string) *caller {
	if key == nil || a.mayAll(key) && (a.Policies == nil || !a.Policies.Policed() && operation != opPutPolicy) {
		return nil
	}
	return &caller{key: key, access: a, op: operation}
}

// mayAll says that a key may do everything that no policy denies.
func (a *Access) mayAll(key *sigv4.Key) bool { return !key.ReadOnly && key.Unbound() && !a.abroad(key) }

// abroad says whether the holder of a key is of another account than the tables.
func (a *Access) abroad(key *sigv4.Key) bool { return key.Account != "" && key.Account != a.Account }

// account is that of the caller.
func (c *caller) account() string { return cmp.Or(c.key.Account, c.access.Account) }

// callerIn is callerOf with what the context tells about the caller.
func (a Access) callerIn(ctx context.Context, key *sigv4.Key, operation string) *caller {
	c := a.withDefaults().callerOf(key, operation)
	if c != nil && a.Peer != nil {
		c.from, c.secure = a.Peer(ctx)
	}
	return c
}

// need is one right that a request needs.
type need struct {
	action string
	// table as the request names it: by name or by an ARN of it or of a part of it; empty for none.
	table string
	index string
	// bucket is set for the right on its objects, which is in the account of the table or another one.
	bucket string
}

// may says whether the caller may make the request. It is asked once the request is decoded and
// before the operation validates it: unsure (wire-facts §1.2 #12). Of a batch of statements only those
// fail that the caller may not run, which the context tells the service.
func (c *caller) may(ctx context.Context, in any) (context.Context, error) {
	if batch, ok := in.(*api.BatchExecuteStatementInput); ok {
		return c.mayBatch(ctx, batch), nil
	}
	if err := c.lacks(in, c.needs(in)); err != nil {
		return ctx, err
	}
	if c.op == opPutPolicy {
		ctx = api.WithCaller(ctx, c.who())
	}
	return ctx, nil
}

// who is the caller as policies know callers.
func (c *caller) who() *api.Caller {
	who := &api.Caller{
		Arn: "arn:aws:iam::" + c.account() + ":user/" + c.key.User, User: c.key.User, Account: c.account(),
		Secure: c.secure,
	}
	if host, _, err := net.SplitHostPort(c.from); err == nil {
		who.SourceIP = host
	}
	return who
}

func (c *caller) mayBatch(ctx context.Context, in *api.BatchExecuteStatementInput) context.Context {
	denied := map[int]*api.Error{}
	for i := range in.Statements {
		s := &in.Statements[i]
		alone := &api.ExecuteStatementInput{Statement: s.Statement, Parameters: s.Parameters, ReturnConsumedCapacity: in.ReturnConsumedCapacity}
		if err := c.lacks(alone, c.statement(nil, s.Statement.Value)); err != nil {
			denied[i] = err
		}
	}
	return api.WithDenied(ctx, denied)
}

// lacks is the refusal of the first right that the caller lacks, nil for none. Within an account either the
// key or the resource's policy may allow, and a denial of the policy wins; for who is of another account both must
// allow.
func (c *caller) lacks(in any, needs []need) *api.Error {
	for _, n := range needs {
		if n.bucket != "" {
			if !c.key.MayReachBucket(n.bucket) {
				return api.Errorf(api.AccessDenied, msgDenied, c.account(), c.key.User, n.action, "arn:aws:s3:::"+n.bucket+"/*")
			}
			continue
		}
		table, part := tableOf(n.table)
		if n.index != "" {
			part = "/index/" + n.index
		}
		decision := api.PolicySilent
		if c.access.Policies != nil && c.access.Policies.Policed() {
			decision = c.access.Policies.Authorize(c.who(), &api.Right{Action: n.action, Table: table, Part: part}, in)
		}
		text, resource := msgDenied, c.access.resource(table, part)
		byKey := (!c.key.ReadOnly || reads(n.action)) && c.key.MayReach(table)
		switch abroad := c.access.abroad(c.key); {
		case abroad && accountOf(n.table) != c.access.Account: // what his own account has is not here
			theirs := c.access
			theirs.Account = c.account()
			resource = theirs.resource(table, part)
		case decision == api.PolicyDenies:
			text = msgDeniedByPolicy
		case abroad && byKey && decision != api.PolicyAllows:
			text = msgDeniedAbroad
		case decision == api.PolicyAllows && (byKey || !abroad), byKey && !abroad:
			continue
		}
		return api.Errorf(api.AccessDenied, text, c.account(), c.key.User, servicePrefix+n.action, resource)
	}
	return nil
}

// resource is the ARN in a refusal, of a table or of its index or stream.
func (a Access) resource(table, part string) string {
	if table == "" {
		return noTable
	}
	return "arn:aws:dynamodb:" + a.Region + ":" + a.Account + ":table/" + table + part
}

// reads says which rights change nothing.
func reads(action string) bool {
	switch action {
	case "GetItem", "BatchGetItem", "Query", "Scan", "SearchVectors", actionConditionCheck, string(StatementSelect),
		"GetRecords", "GetShardIterator", "GetResourcePolicy":
		return true
	}
	return strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "List")
}

// needs lists the rights that a request needs. A transaction needs those of its actions: DynamoDB
// does this (TestAccess).
func (c *caller) needs(in any) []need {
	name := c.op
	switch in := in.(type) {
	case *api.QueryInput:
		return []need{{action: name, table: in.TableName.Value, index: in.IndexName.Value}}
	case *api.ScanInput:
		return []need{{action: name, table: in.TableName.Value, index: in.IndexName.Value}}
	case *api.BatchGetItemInput:
		var out []need
		for i := range in.RequestItems {
			out = append(out, need{action: name, table: in.RequestItems[i].Key})
		}
		return out
	case *api.BatchWriteItemInput:
		var out []need
		for i := range in.RequestItems {
			out = append(out, need{action: name, table: in.RequestItems[i].Key})
		}
		return out
	case *api.TransactGetItemsInput:
		var out []need
		for i := range in.TransactItems {
			if get := in.TransactItems[i].Get; get != nil {
				out = append(out, need{action: "GetItem", table: get.TableName.Value})
			}
		}
		return out
	case *api.TransactWriteItemsInput:
		var out []need
		for i := range in.TransactItems {
			out = appendWriteNeeds(out, &in.TransactItems[i])
		}
		return out
	}
	return c.slowNeeds(in)
}

func appendWriteNeeds(dst []need, t *api.TransactWriteItem) []need {
	if t.ConditionCheck != nil {
		dst = append(dst, need{action: actionConditionCheck, table: t.ConditionCheck.TableName.Value})
	}
	if t.Put != nil {
		dst = append(dst, need{action: "PutItem", table: t.Put.TableName.Value})
	}
	if t.Delete != nil {
		dst = append(dst, need{action: "DeleteItem", table: t.Delete.TableName.Value})
	}
	if t.Update != nil {
		dst = append(dst, need{action: "UpdateItem", table: t.Update.TableName.Value})
	}
	return dst
}

func (c *caller) slowNeeds(in any) []need {
	var out []need
	switch in := in.(type) {
	case *api.DescribeEndpointsInput:
		return nil // clients ask it by themselves, and it tells nothing
	case *api.ExecuteStatementInput:
		return c.statement(nil, in.Statement.Value)
	case *api.ExecuteTransactionInput:
		for i := range in.TransactStatements {
			out = c.statement(out, in.TransactStatements[i].Statement.Value)
		}
		return out
	case *api.SubscribeInput:
		return feedNeeds(in)
	case *api.ImportTableInput, *api.ExportTableToPointInTimeInput, *api.StartBulkPutItemsInput:
		return transferNeeds(c.op, in)
	case *api.GetRecordsInput:
		// An iterator begins with the ARN of its stream; one of another form reaches no table.
		arn, _, _ := strings.Cut(in.ShardIterator.Value, "|")
		return []need{{action: c.op, table: arn}}
	}
	for _, table := range namedTables(in) {
		out = append(out, need{action: c.op, table: table})
	}
	return out
}

// transferNeeds are those of what begins to read or write objects. The service would find only later that the
// caller may not have them read or written, and fail what it began; here it does not begin.
func transferNeeds(op string, in any) []need {
	var table string
	var buckets []need
	bucket := func(name, action string) {
		if name != "" {
			buckets = append(buckets, need{action: action, bucket: name})
		}
	}
	switch in := in.(type) {
	case *api.ImportTableInput:
		if in.TableCreationParameters != nil {
			table = in.TableCreationParameters.TableName.Value
		}
		if in.S3BucketSource != nil {
			bucket(in.S3BucketSource.S3Bucket.Value, actionGetObject)
		}
	case *api.ExportTableToPointInTimeInput:
		table = in.TableArn.Value
		bucket(in.S3Bucket.Value, actionPutObject)
	case *api.StartBulkPutItemsInput:
		table = in.TableName.Value
		if in.InputS3Configuration != nil {
			bucket(in.InputS3Configuration.S3Bucket.Value, actionGetObject)
		}
		if in.OutputS3Configuration != nil {
			bucket(in.OutputS3Configuration.S3Bucket.Value, actionPutObject)
		}
	}
	return append([]need{{action: op, table: table}}, buckets...)
}

// feedNeeds are those of a change feed, which is read as a stream is, whatever names it.
func feedNeeds(in *api.SubscribeInput) []need {
	const action = "GetRecords"
	var out []need
	for _, ref := range []api.Opt[string]{in.StreamArn, in.TableName} {
		if ref.Value != "" {
			out = append(out, need{action: action, table: ref.Value})
		}
	}
	if out == nil {
		out = []need{{action: action}}
	}
	return out
}

// statement adds the right of a PartiQL statement. One that does not parse needs none: the engine
// reads it with the same parser and refuses it.
func (c *caller) statement(dst []need, text string) []need {
	if c.access.StatementAccess == nil {
		return append(dst, need{action: c.op})
	}
	table, index, action, ok := c.access.StatementAccess(text)
	if !ok {
		return dst
	}
	return append(dst, need{action: string(action), table: table, index: index})
}

// tableMembers are the members by which requests name tables, where there is no TableName.
func tableMembers() []string {
	return []string{"TableArn", "ResourceArn", "StreamArn", "BackupArn", "ExportArn", "ImportArn", "BulkOperationArn",
		"SourceTableArn", "SourceTableName", "TargetTableName", "GlobalTableName"}
}

// namedTables finds the tables that a request names. Where it names none the result is one empty
// name, which only keys for all tables reach.
func namedTables(in any) []string {
	v := reflect.ValueOf(in).Elem()
	text := func(member string) string {
		f, _ := reflect.TypeAssert[api.Opt[string]](fieldOf(v, member))
		return f.Value
	}
	if v.FieldByName("TableName").IsValid() {
		return []string{text("TableName")}
	}
	var out []string
	for _, member := range tableMembers() {
		if name := text(member); name != "" {
			out = append(out, name)
		}
	}
	if out == nil {
		out = []string{""}
	}
	return out
}

// fieldOf is the member of a request, absent where the request has no such member.
func fieldOf(v reflect.Value, member string) reflect.Value {
	if f := v.FieldByName(member); f.IsValid() {
		return f
	}
	return reflect.ValueOf(api.Opt[string]{})
}

// arnParts is the number of parts of an ARN, the last being the resource.
const arnParts = 6

// accountOf is the account in an ARN; empty when there is none.
func accountOf(ref string) string {
	parts := strings.SplitN(ref, ":", arnParts)
	if len(parts) < arnParts || parts[0] != "arn" {
		return ""
	}
	return parts[arnParts-2]
}

// tableOf is the table that a name or an ARN stands for, and what part of it, such as
// /stream/LABEL; empty for an ARN of something else. The engine takes a reference for this table or for
// one whose name no table can have.
func tableOf(ref string) (table, part string) {
	if !strings.HasPrefix(ref, "arn:") {
		return ref, ""
	}
	parts := strings.SplitN(ref, ":", arnParts)
	if len(parts) < arnParts {
		return "", ""
	}
	name, ok := strings.CutPrefix(parts[arnParts-1], "table/")
	if !ok {
		return "", ""
	}
	if at := strings.IndexByte(name, '/'); at >= 0 {
		return name[:at], name[at:]
	}
	return name, ""
}
