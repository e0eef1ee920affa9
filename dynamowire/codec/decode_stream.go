package codec

import "github.com/keystone-db/kstone/engine/api"

// GetRecords reads the body of a GetRecords.
func (d *Decoder) GetRecords(body []byte) (*api.GetRecordsInput, error) {
	in := &d.getRecords
	*in = api.GetRecordsInput{}
	if d.top(opGetRecords, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "ShardIterator":
				d.str(&in.ShardIterator)
			case "Limit":
				d.integer(&in.Limit)
			default:
				d.s.Skip()
			}
		}
	}
	return in, d.finish(body)
}
