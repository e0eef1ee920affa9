package codec

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// The client's side: requests become JSON, answers and errors structs.

// errEmptyAnswer is an answer without a body where there must be one.
var errEmptyAnswer = errors.New("codec: the answer is empty")

// AppendRequest appends the JSON body of a request; in is a pointer to the operation's input struct, such
// as *api.GetItemInput, and is only read. Absent members are left out. Values are written as in answers:
// a VecF32 as an L of N, a Ts as an N (AppendValue).
//
// A request that holds bad values (api.BadValue) has lost them, so it cannot be sent; the error is
// api.Validation with the text of the first one. It is api.UnknownOperation for an operation that is
// none of api.Operations.
func AppendRequest(dst []byte, operation string, in any) ([]byte, error) {
	op, ok := slowOperation(operation)
	if !ok {
		return dst, api.Errorf(api.UnknownOperation, "")
	}
	v := reflect.ValueOf(in).Elem()
	if bad := v.FieldByName(badField); bad.IsValid() && bad.Len() > 0 {
		first, _ := reflect.TypeAssert[api.BadValue](bad.Index(0))
		return dst, api.Errorf(api.Validation, "%s", first.Err.Message())
	}
	return appendSlowStructure(dst, v, op.input), nil
}

// DecodeAnswer reads the JSON body of an answer into out, a pointer to an empty output struct of the
// operation, such as *api.GetItemOutput. Members that are not known are left out, null counts as
// absent. What out holds does not share the memory of body; items of one answer share theirs, so that
// one that is kept keeps all of them: clone it (attr.Item.Clone) where that matters.
//
// A body that is not the operation's answer is an error of no code, and leaves out half filled.
func DecodeAnswer(operation string, body []byte, out any) error {
	op, ok := slowOperation(operation)
	if !ok {
		return api.Errorf(api.UnknownOperation, "")
	}
	if len(body) == 0 {
		if len(op.output.members) > 0 {
			return errEmptyAnswer
		}
		return nil // DynamoDB does this (dynamowire's TestEmptyAnswer)
	}
	var d slowDecoder
	d.begin(body)
	d.made = math.MinInt // a page may have more small items than a request may have elements
	if d.s.Peek() != '{' {
		return fmt.Errorf("codec: the answer is no JSON object: %.*q", shownMax, body)
	}
	d.s.Object()
	d.structure(reflect.ValueOf(out).Elem(), op.output, "")
	if err := d.finish(body); err != nil {
		return d.strange("answer", body)
	}
	if bad := d.faults(); bad != nil {
		return fmt.Errorf("codec: the answer's %s: %s", bad[0].Place, bad[0].Err.Message())
	}
	return nil
}

// shownMax is how many bytes of a strange body errors show.
const shownMax = 200

// strange is the error for a body that is not what it should be.
func (d *Decoder) strange(what string, body []byte) error {
	reason := d.err
	if reason == "" {
		reason = "it is no JSON"
	}
	return fmt.Errorf("codec: the %s is of another form: %s: %.*q", what, reason, shownMax, body)
}

// DecodeError reads the error that a body with an HTTP status stands for. It is an *api.Error wherever
// the service speaks: its code is the name in __type, which need not be one of the contract's. Where
// something else speaks, such as a proxy, or nothing at all, an *api.Error stands for the statuses that
// say enough: Unavailable, so nothing was done, for 429 and 503, and InternalServerError for 500, 502 and
// 504. Other errors have no code and show the beginning of the body.
func DecodeError(status int, body []byte) error {
	var d slowDecoder
	d.begin(body)
	e := &api.Error{}
	if d.s.Peek() == '{' {
		d.s.Object()
		d.errorMembers(e)
		if d.finish(body) == nil && e.Code != "" {
			return e
		}
	}
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return api.Errorf(api.Unavailable, "HTTP status %d", status)
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return api.Errorf(api.InternalServerError, "HTTP status %d", status)
	}
	return fmt.Errorf("codec: HTTP status %d with no error of the service: %.*q", status, shownMax, body)
}

// errorMembers reads the members of an error, which the service spells in several ways.
func (d *slowDecoder) errorMembers(e *api.Error) {
	var text api.Opt[string]
	for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
		switch string(key) {
		case "__type":
			d.str(&text)
			e.Code = codeOf(text.Value)
		case api.TextLower, api.TextUpper:
			d.str(&text)
			e.Message = text.Value
		case "Item":
			e.Item = d.item(place{head: "Item"})
		case "CancellationReasons":
			d.elements(reflect.ValueOf(&e.Reasons).Elem(), slowCancellationReasonList, "")
		case "ThrottlingReasons", "throttlingReasons":
			d.elements(reflect.ValueOf(&e.Throttling).Elem(), slowThrottlingReasonList, "")
		default:
			d.s.Skip()
		}
	}
}

// codeOf is the code of a __type, such as com.amazonaws.dynamodb.v20120810#ResourceNotFoundException.
func codeOf(name string) api.Code {
	if _, short, ok := strings.Cut(name, "#"); ok {
		name = short
	}
	return api.Code(name)
}
