package codec

import "github.com/keystone-db/kstone/engine/api"

// Query reads the body of a Query.
func (d *Decoder) Query(body []byte) (*api.QueryInput, error) {
	in := &d.query
	*in = api.QueryInput{}
	if d.top(opQuery, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			d.queryMember(in, key)
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

func (d *Decoder) queryMember(in *api.QueryInput, key []byte) {
	switch string(key) {
	case "TableName":
		d.str(&in.TableName)
	case "IndexName":
		d.str(&in.IndexName)
	case "Select":
		d.str(&in.Select)
	case "AttributesToGet":
		d.strings(&in.AttributesToGet)
	case "Limit":
		d.integer(&in.Limit)
	case "ConsistentRead":
		d.boolean(&in.ConsistentRead)
	case "KeyConditions":
		d.keyConditions(&in.KeyConditions)
	case "QueryFilter":
		d.conditions(&in.QueryFilter, "QueryFilter")
	case "ConditionalOperator":
		d.str(&in.ConditionalOperator)
	case "ScanIndexForward":
		d.boolean(&in.ScanIndexForward)
	case "ExclusiveStartKey":
		in.ExclusiveStartKey = d.item(place{head: "ExclusiveStartKey"})
	case "ReturnConsumedCapacity":
		d.str(&in.ReturnConsumedCapacity)
	case "ProjectionExpression":
		d.str(&in.ProjectionExpression)
	case "FilterExpression":
		d.str(&in.FilterExpression)
	case "KeyConditionExpression":
		d.str(&in.KeyConditionExpression)
	case "ExpressionAttributeNames":
		d.names(&in.ExpressionAttributeNames)
	case "ExpressionAttributeValues":
		d.values(&in.ExpressionAttributeValues, place{})
	default:
		d.s.Skip()
	}
}

// Scan reads the body of a Scan.
func (d *Decoder) Scan(body []byte) (*api.ScanInput, error) {
	in := &d.scan
	*in = api.ScanInput{}
	if d.top(opScan, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			d.scanMember(in, key)
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

func (d *Decoder) scanMember(in *api.ScanInput, key []byte) {
	switch string(key) {
	case "TableName":
		d.str(&in.TableName)
	case "IndexName":
		d.str(&in.IndexName)
	case "AttributesToGet":
		d.strings(&in.AttributesToGet)
	case "Limit":
		d.integer(&in.Limit)
	case "Select":
		d.str(&in.Select)
	case "ScanFilter":
		d.conditions(&in.ScanFilter, "ScanFilter")
	case "ConditionalOperator":
		d.str(&in.ConditionalOperator)
	case "ExclusiveStartKey":
		in.ExclusiveStartKey = d.item(place{head: "ExclusiveStartKey"})
	case "ReturnConsumedCapacity":
		d.str(&in.ReturnConsumedCapacity)
	case "TotalSegments":
		d.integer(&in.TotalSegments)
	case "Segment":
		d.integer(&in.Segment)
	case "ProjectionExpression":
		d.str(&in.ProjectionExpression)
	case "FilterExpression":
		d.str(&in.FilterExpression)
	case "ExpressionAttributeNames":
		d.names(&in.ExpressionAttributeNames)
	case "ExpressionAttributeValues":
		d.values(&in.ExpressionAttributeValues, place{})
	case "ConsistentRead":
		d.boolean(&in.ConsistentRead)
	default:
		d.s.Skip()
	}
}
