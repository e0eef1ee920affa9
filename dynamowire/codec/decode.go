package codec

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Decoder reads the bodies of the hot operations. One pass over the body fills a request struct
// that belongs to the Decoder: it is valid until the next use. The strings and items in it lie in
// one piece of memory that is made for each request and never reused, and never alias the body.
//
// A Decoder serves one request at a time and is made for reuse: after a few requests it allocates
// only that one piece. The error of its methods is a *api.Error with code Serialization, without
// a text when the body is no JSON object, which is looked at first, and otherwise with the text of
// the first wrong type (wire-facts §2).
type Decoder struct {
	s   Scanner
	enc attr.Encoder
	err string // the text of the first wrong type
	bad []api.BadValue
	// made is how many elements became structures.
	made int
	b64  []byte
	slab slabs
	last hotOp

	getItem            api.GetItemInput
	putItem            api.PutItemInput
	updateItem         api.UpdateItemInput
	deleteItem         api.DeleteItemInput
	query              api.QueryInput
	scan               api.ScanInput
	batchGetItem       api.BatchGetItemInput
	batchWriteItem     api.BatchWriteItemInput
	transactGetItems   api.TransactGetItemsInput
	transactWriteItems api.TransactWriteItemsInput

	executeStatement      api.ExecuteStatementInput
	batchExecuteStatement api.BatchExecuteStatementInput
	executeTransaction    api.ExecuteTransactionInput
	getRecords            api.GetRecordsInput
}

// slabs holds the elements of all lists of one request. A list is a part of its slab; when a slab
// grows, the lists made before keep the old memory.
type slabs struct {
	names   []api.Name
	values  []api.NamedValue
	items   []attr.Item
	writes  []api.WriteRequest
	puts    []api.PutRequest
	deletes []api.DeleteRequest
	params  []attr.Value
}

// slabKeepMax is the most elements of a slab, and decoderKeepMax the most bytes of a scratch
// buffer, that Release keeps for the next request.
const (
	slabKeepMax    = 4096
	decoderKeepMax = 64 << 10
)

// Release drops what the last request left behind, so that an idle Decoder in a pool holds no
// items and no memory of unusual size.
func (d *Decoder) Release() {
	d.s = Scanner{text: keepBytes(d.s.text)}
	d.enc.Reset(nil)
	d.bad = keepSlab(d.bad)
	d.b64 = keepBytes(d.b64)
	d.slab = d.slab.emptied()
	d.wipe()
}

// wipe empties the request that was decoded last. The lists of batches and transactions keep their
// memory.
func (d *Decoder) wipe() {
	switch d.last {
	case opGetItem:
		d.getItem = api.GetItemInput{}
	case opPutItem:
		d.putItem = api.PutItemInput{}
	case opUpdateItem:
		d.updateItem = api.UpdateItemInput{}
	case opDeleteItem:
		d.deleteItem = api.DeleteItemInput{}
	case opQuery:
		d.query = api.QueryInput{}
	case opScan:
		d.scan = api.ScanInput{}
	case opBatchGetItem:
		d.batchGetItem = api.BatchGetItemInput{RequestItems: keepSlab(d.batchGetItem.RequestItems)}
	case opBatchWriteItem:
		d.batchWriteItem = api.BatchWriteItemInput{RequestItems: keepSlab(d.batchWriteItem.RequestItems)}
	case opTransactGetItems:
		d.transactGetItems = api.TransactGetItemsInput{TransactItems: keepSlab(d.transactGetItems.TransactItems)}
	case opTransactWriteItems:
		d.transactWriteItems = api.TransactWriteItemsInput{
			TransactItems: keepSlab(d.transactWriteItems.TransactItems)}
	case opExecuteStatement:
		d.executeStatement = api.ExecuteStatementInput{}
	case opBatchExecuteStatement:
		d.batchExecuteStatement = api.BatchExecuteStatementInput{
			Statements: keepSlab(d.batchExecuteStatement.Statements)}
	case opExecuteTransaction:
		d.executeTransaction = api.ExecuteTransactionInput{
			TransactStatements: keepSlab(d.executeTransaction.TransactStatements)}
	case opGetRecords:
		d.getRecords = api.GetRecordsInput{}
	}
	d.last = opNone
}

// hotOp is a hot operation.
type hotOp uint8

const (
	opNone hotOp = iota
	opGetItem
	opPutItem
	opUpdateItem
	opDeleteItem
	opQuery
	opScan
	opBatchGetItem
	opBatchWriteItem
	opTransactGetItems
	opTransactWriteItems
	opExecuteStatement
	opBatchExecuteStatement
	opExecuteTransaction
	opGetRecords
)

func (s slabs) emptied() slabs {
	return slabs{keepSlab(s.names), keepSlab(s.values), keepSlab(s.items), keepSlab(s.writes),
		keepSlab(s.puts), keepSlab(s.deletes), keepSlab(s.params)}
}

func keepSlab[T any](s []T) []T {
	if cap(s) > slabKeepMax {
		return nil
	}
	clear(s)
	return s[:0]
}

func keepBytes(b []byte) []byte {
	if cap(b) > decoderKeepMax {
		return nil
	}
	return b[:0]
}

// begin prepares for a body. Its binary form is shorter than its JSON, names and strings included.
func (d *Decoder) begin(body []byte) {
	d.s.Reset(body)
	d.enc.Reset(make([]byte, 0, len(body)))
	d.err = ""
	d.bad, d.made = d.bad[:0], 0
	d.slab = slabs{d.slab.names[:0], d.slab.values[:0], d.slab.items[:0], d.slab.writes[:0],
		d.slab.puts[:0], d.slab.deletes[:0], d.slab.params[:0]}
}

// finish gives the error of the pass. The rest of the body is looked at only here: a text that is
// no JSON beats a wrong type in front of it.
func (d *Decoder) finish(body []byte) error {
	if d.err == "" && !d.s.failed && d.s.End() {
		return nil
	}
	if d.err == "" || !Valid(body) {
		return api.Errorf(api.Serialization, "")
	}
	return api.Errorf(api.Serialization, "%s", d.err)
}

// faults gives the bad values of the request, nil when there is none.
func (d *Decoder) faults() []api.BadValue {
	if len(d.bad) == 0 {
		return nil
	}
	return d.bad
}

// mismatch records the text of a wrong type and stops the pass.
func (d *Decoder) mismatch(text string) {
	if d.err == "" && !d.s.failed {
		d.err = text
	}
	d.s.fail()
}

// object opens the members of a structure; false for null and for wrong types.
func (d *Decoder) object(scalarText, structure string) bool {
	switch d.s.Peek() {
	case '{':
		return d.structural() && d.s.Object()
	case 'n':
		d.s.Null()
	case '[':
		d.mismatch(msgUnrecognizedClass + structurePackage + structure)
	default:
		d.scalarMismatch(scalarText)
	}
	return false
}

// scalarMismatch is a mismatch with the text, provided that a scalar is there at all.
func (d *Decoder) scalarMismatch(text string) {
	switch c := d.s.Peek(); {
	case c == '"', c == 't', c == 'f', c == '-', c-'0' <= 9:
		d.mismatch(text)
	default:
		d.s.fail()
	}
}

// mapping opens a map; false for null and wrong types.
func (d *Decoder) mapping(valueClass string) bool {
	switch d.s.Peek() {
	case '{':
		return d.s.Object()
	case 'n':
		d.s.Null()
	case '[':
		d.mismatch(msgUnrecognizedMap + valueClass + ">")
	default:
		d.scalarMismatch(msgFieldType)
	}
	return false
}

// list opens a list; false for null and wrong types.
func (d *Decoder) list() bool { return d.listOr(msgFieldType) }

func (d *Decoder) listOr(scalarText string) bool {
	switch d.s.Peek() {
	case '[':
		return d.s.Array()
	case 'n':
		d.s.Null()
	case '{':
		d.mismatch(msgStructureStart)
	default:
		d.scalarMismatch(scalarText)
	}
	return false
}

// convert reports the mismatch of a scalar member of a Java class with what comes.
func (d *Decoder) convert(class string) {
	switch c := d.s.Peek(); {
	case c == 't':
		d.mismatch("TRUE" + msgConvert + class)
	case c == 'f':
		d.mismatch("FALSE" + msgConvert + class)
	case c == '"':
		d.mismatch("STRING" + msgConvert + class)
	case c == '{':
		d.mismatch(msgStructureStart)
	case c == '[':
		d.mismatch(msgUnrecognizedClass + "java.lang." + class)
	default:
		text, ok := d.s.Number()
		switch {
		case !ok:
		case isWhole(text):
			d.mismatch("NUMBER" + msgConvert + class)
		default:
			d.mismatch("DECIMAL" + msgConvert + class)
		}
	}
}

func isWhole(number []byte) bool {
	for _, c := range number {
		if c == '.' || c == 'e' || c == 'E' {
			return false
		}
	}
	return true
}

// text reads a string that is not null.
func (d *Decoder) text() ([]byte, bool) {
	if d.s.Peek() != '"' {
		d.convert("String")
		return nil, false
	}
	return d.s.String()
}

// keep copies bytes into the request's memory and gives them as a string.
func (d *Decoder) keep(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	at := d.enc.Len()
	d.enc.Append(b)
	kept := d.enc.From(at)
	// Nobody writes to this part of the memory again: the encoder only appends.
	return unsafe.String(unsafe.SliceData(kept), len(kept))
}

func (d *Decoder) str(dst *api.Opt[string]) {
	*dst = api.Opt[string]{}
	if d.s.Null() {
		return
	}
	if b, ok := d.text(); ok {
		*dst = api.Some(d.keep(b))
	}
}

func (d *Decoder) boolean(dst *api.Opt[bool]) {
	*dst = api.Opt[bool]{}
	switch d.s.Peek() {
	case 't', 'f':
		v, ok := d.s.Bool()
		*dst = api.Opt[bool]{Value: v, Set: ok}
	case 'n':
		d.s.Null()
	case '"':
		b, ok := d.s.String()
		if !ok {
			return
		}
		// DynamoDB does this, pinned by TestMismatches.
		switch strings.ToLower(string(b)) {
		case "true", "1", "yes":
			*dst = api.Some(true)
		case "false", "0", "no":
			*dst = api.Some(false)
		default:
			d.mismatch(msgUnexpectedToken)
		}
	default:
		d.convert("Boolean")
	}
}

func (d *Decoder) integer(dst *api.Opt[int64]) {
	*dst = api.Opt[int64]{}
	switch c := d.s.Peek(); {
	case c == 'n':
		d.s.Null()
	case c == '-', c-'0' <= 9:
		if b, ok := d.s.Number(); ok {
			*dst = api.Some(whole(string(b)))
		}
	default:
		d.convert("Integer")
	}
}

// whole rounds down, and brings what no integer can hold to the nearest one, so that range
// constraints refuse it.
func whole(number string) int64 {
	if i, err := strconv.ParseInt(number, 10, 64); err == nil {
		return i
	}
	f, _ := strconv.ParseFloat(number, 64) // out of range gives an infinity
	switch f = math.Floor(f); {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// strings reads a list of strings; nulls in it are left out.
func (d *Decoder) strings(dst *[]string) {
	*dst = nil
	if !d.list() {
		return
	}
	out := []string{}
	for ok := d.s.Elem(true); ok; ok = d.s.Elem(false) {
		if d.s.Null() {
			continue
		}
		b, ok := d.text()
		if !ok {
			return
		}
		out = append(out, d.keep(b))
	}
	*dst = out
}

// names reads ExpressionAttributeNames.
func (d *Decoder) names(dst *[]api.Name) {
	*dst = nil
	if !d.mapping(classString) {
		return
	}
	start := len(d.slab.names)
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		n := api.Name{Placeholder: d.keep(key)}
		if !d.s.Null() {
			b, ok := d.text()
			if !ok {
				return
			}
			n.Name = d.keep(b)
		}
		d.slab.names = append(d.slab.names, n)
	}
	*dst = sortUnique(d.slab.names[start:], func(n *api.Name) string { return n.Placeholder })
}

// values reads ExpressionAttributeValues.
func (d *Decoder) values(dst *[]api.NamedValue, at place) {
	*dst = nil
	if !d.mapping(classValue) {
		return
	}
	start := len(d.slab.values)
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		v := api.NamedValue{Placeholder: d.keep(key)}
		at.tail, at.key = membersValues, v.Placeholder
		v.Value = d.standalone(at, msgValueType)
		d.slab.values = append(d.slab.values, v)
	}
	*dst = sortUnique(d.slab.values[start:], func(v *api.NamedValue) string { return v.Placeholder })
}

// sortUnique sorts entries by key and keeps the last of each key. The result is not nil and has no
// spare capacity.
func sortUnique[T any](s []T, key func(*T) string) []T {
	sorted := true
	for i := 1; i < len(s) && sorted; i++ {
		sorted = key(&s[i-1]) < key(&s[i])
	}
	if s == nil {
		return []T{}
	}
	if sorted {
		return s[:len(s):len(s)]
	}
	slices.SortStableFunc(s, func(a, b T) int { return strings.Compare(key(&a), key(&b)) })
	n := 0
	for i := range s {
		if n > 0 && key(&s[n-1]) == key(&s[i]) {
			n--
		}
		s[n] = s[i]
		n++
	}
	return s[:n:n]
}
