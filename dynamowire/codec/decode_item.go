package codec

import "github.com/keystone-db/kstone/engine/api"

// top opens the body of an operation, which must be an object.
func (d *Decoder) top(op hotOp, body []byte) bool {
	d.last = op
	d.begin(body)
	return d.s.Object()
}

// GetItem reads the body of a GetItem.
func (d *Decoder) GetItem(body []byte) (*api.GetItemInput, error) {
	in := &d.getItem
	*in = api.GetItemInput{}
	if d.top(opGetItem, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "TableName":
				d.str(&in.TableName)
			case "Key":
				in.Key = d.item(place{head: "Key"})
			case "AttributesToGet":
				d.strings(&in.AttributesToGet)
			case "ConsistentRead":
				d.boolean(&in.ConsistentRead)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			case "ProjectionExpression":
				d.str(&in.ProjectionExpression)
			case "ExpressionAttributeNames":
				d.names(&in.ExpressionAttributeNames)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

// PutItem reads the body of a PutItem.
func (d *Decoder) PutItem(body []byte) (*api.PutItemInput, error) {
	in := &d.putItem
	*in = api.PutItemInput{}
	if d.top(opPutItem, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "TableName":
				d.str(&in.TableName)
			case "Item":
				in.Item = d.item(place{head: "Item"})
			case "Expected":
				d.expected(&in.Expected)
			case "ReturnValues":
				d.str(&in.ReturnValues)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			case "ReturnItemCollectionMetrics":
				d.str(&in.ReturnItemCollectionMetrics)
			case "ConditionalOperator":
				d.str(&in.ConditionalOperator)
			case "ConditionExpression":
				d.str(&in.ConditionExpression)
			case "ExpressionAttributeNames":
				d.names(&in.ExpressionAttributeNames)
			case "ExpressionAttributeValues":
				d.values(&in.ExpressionAttributeValues, place{})
			case "ReturnValuesOnConditionCheckFailure":
				d.str(&in.ReturnValuesOnConditionCheckFailure)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

// UpdateItem reads the body of an UpdateItem.
func (d *Decoder) UpdateItem(body []byte) (*api.UpdateItemInput, error) {
	in := &d.updateItem
	*in = api.UpdateItemInput{}
	if d.top(opUpdateItem, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "TableName":
				d.str(&in.TableName)
			case "Key":
				in.Key = d.item(place{head: "Key"})
			case "AttributeUpdates":
				d.updates(&in.AttributeUpdates)
			case "Expected":
				d.expected(&in.Expected)
			case "ConditionalOperator":
				d.str(&in.ConditionalOperator)
			case "ReturnValues":
				d.str(&in.ReturnValues)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			case "ReturnItemCollectionMetrics":
				d.str(&in.ReturnItemCollectionMetrics)
			case "UpdateExpression":
				d.str(&in.UpdateExpression)
			case "ConditionExpression":
				d.str(&in.ConditionExpression)
			case "ExpressionAttributeNames":
				d.names(&in.ExpressionAttributeNames)
			case "ExpressionAttributeValues":
				d.values(&in.ExpressionAttributeValues, place{})
			case "ReturnValuesOnConditionCheckFailure":
				d.str(&in.ReturnValuesOnConditionCheckFailure)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}

// DeleteItem reads the body of a DeleteItem.
func (d *Decoder) DeleteItem(body []byte) (*api.DeleteItemInput, error) {
	in := &d.deleteItem
	*in = api.DeleteItemInput{}
	if d.top(opDeleteItem, body) {
		for key, ok := d.s.Key(true); ok; key, ok = d.s.Key(false) {
			switch string(key) {
			case "TableName":
				d.str(&in.TableName)
			case "Key":
				in.Key = d.item(place{head: "Key"})
			case "Expected":
				d.expected(&in.Expected)
			case "ConditionalOperator":
				d.str(&in.ConditionalOperator)
			case "ReturnValues":
				d.str(&in.ReturnValues)
			case "ReturnConsumedCapacity":
				d.str(&in.ReturnConsumedCapacity)
			case "ReturnItemCollectionMetrics":
				d.str(&in.ReturnItemCollectionMetrics)
			case "ConditionExpression":
				d.str(&in.ConditionExpression)
			case "ExpressionAttributeNames":
				d.names(&in.ExpressionAttributeNames)
			case "ExpressionAttributeValues":
				d.values(&in.ExpressionAttributeValues, place{})
			case "ReturnValuesOnConditionCheckFailure":
				d.str(&in.ReturnValuesOnConditionCheckFailure)
			default:
				d.s.Skip()
			}
		}
	}
	in.Bad = d.faults()
	return in, d.finish(body)
}
