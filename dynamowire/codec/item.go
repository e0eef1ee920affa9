package codec

import "github.com/keystone-db/kstone/engine/attr"

// Item reads an item or key that stands by itself, {"pk":{"S":"a"}}. bad is the first fault of its
// values, with which the item holds a part only. The error is that of the other methods. The item lies
// in memory of its own.
func (d *Decoder) Item(body []byte) (it attr.Item, bad *attr.ValueError, err error) {
	d.begin(body)
	if d.s.Object() {
		it = d.openItem(place{})
	}
	if err := d.finish(body); err != nil {
		return nil, nil, err
	}
	if len(d.bad) > 0 {
		fault := d.bad[0].Err
		return it, &fault, nil
	}
	return it, nil, nil
}
