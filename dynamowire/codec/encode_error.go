package codec

import "github.com/keystone-db/kstone/engine/api"

// AppendError appends the JSON body of an error (wire-facts §1.4).
func AppendError(dst []byte, e *api.Error) []byte {
	class := e.Code.Class()
	code := e.Code
	if !code.Known() {
		code = api.InternalServerError
	}
	o := openObject(dst)
	o.name("__type")
	o.dst = append(o.dst, '"')
	o.dst = append(append(append(o.dst, class.Namespace...), '#'), code...)
	o.dst = append(o.dst, '"')
	if e.Reasons != nil { // before the text, as wire-facts §6.13 prints it
		o.name("CancellationReasons")
		o.dst = appendAll(o.dst, e.Reasons, appendReason)
	}
	if e.Message != "" {
		o.str(class.Text, api.Some(e.Message))
	}
	o.item("Item", e.Item)
	if e.Throttling != nil {
		// The model spells the member of ThrottlingException with a small letter.
		name := "ThrottlingReasons"
		if code == api.Throttling {
			name = "throttlingReasons"
		}
		o.name(name)
		o.dst = appendAll(o.dst, e.Throttling, func(dst []byte, r *api.ThrottlingReason) []byte {
			m := openObject(dst)
			m.str("reason", r.Reason)
			m.str("resource", r.Resource)
			return m.close()
		})
	}
	return o.close()
}

func appendReason(dst []byte, r *api.CancellationReason) []byte {
	o := openObject(dst)
	o.str("Code", r.Code)
	o.str("Message", r.Message)
	o.item("Item", r.Item)
	return o.close()
}
