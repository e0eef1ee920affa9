package codec

import "github.com/keystone-db/kstone/engine/api"

// Answers of the hot operations are appended from the structs and the items' binary form; absent
// members are left out.

// AppendGetItem appends the answer of a GetItem.
func AppendGetItem(dst []byte, out *api.GetItemOutput) []byte {
	o := openObject(dst)
	o.item("Item", out.Item)
	o.consumed(out.ConsumedCapacity)
	return o.close()
}

// AppendPutItem appends the answer of a PutItem.
func AppendPutItem(dst []byte, out *api.PutItemOutput) []byte {
	o := openObject(dst)
	o.item("Attributes", out.Attributes)
	o.consumed(out.ConsumedCapacity)
	o.metrics(out.ItemCollectionMetrics)
	return o.close()
}

// AppendUpdateItem appends the answer of an UpdateItem.
func AppendUpdateItem(dst []byte, out *api.UpdateItemOutput) []byte {
	o := openObject(dst)
	o.item("Attributes", out.Attributes)
	o.consumed(out.ConsumedCapacity)
	o.metrics(out.ItemCollectionMetrics)
	return o.close()
}

// AppendDeleteItem appends the answer of a DeleteItem.
func AppendDeleteItem(dst []byte, out *api.DeleteItemOutput) []byte {
	o := openObject(dst)
	o.item("Attributes", out.Attributes)
	o.consumed(out.ConsumedCapacity)
	o.metrics(out.ItemCollectionMetrics)
	return o.close()
}

// AppendQuery appends the answer of a Query.
func AppendQuery(dst []byte, out *api.QueryOutput) []byte {
	o := openObject(dst)
	o.items("Items", out.Items)
	o.integer("Count", out.Count)
	o.integer("ScannedCount", out.ScannedCount)
	o.item("LastEvaluatedKey", out.LastEvaluatedKey)
	o.consumed(out.ConsumedCapacity)
	return o.close()
}

// AppendScan appends the answer of a Scan.
func AppendScan(dst []byte, out *api.ScanOutput) []byte {
	o := openObject(dst)
	o.items("Items", out.Items)
	o.integer("Count", out.Count)
	o.integer("ScannedCount", out.ScannedCount)
	o.item("LastEvaluatedKey", out.LastEvaluatedKey)
	o.consumed(out.ConsumedCapacity)
	return o.close()
}

// AppendBatchGetItem appends the answer of a BatchGetItem.
func AppendBatchGetItem(dst []byte, out *api.BatchGetItemOutput) []byte {
	o := openObject(dst)
	if out.Responses != nil {
		o.name("Responses")
		m := openObject(o.dst)
		for i := range out.Responses {
			m.key(out.Responses[i].Key)
			m.dst = append(m.dst, '[')
			for j, it := range out.Responses[i].Value {
				if j > 0 {
					m.dst = append(m.dst, ',')
				}
				m.dst = AppendItem(m.dst, it)
			}
			m.dst = append(m.dst, ']')
		}
		o.dst = m.close()
	}
	if out.UnprocessedKeys != nil {
		o.name("UnprocessedKeys")
		m := openObject(o.dst)
		for i := range out.UnprocessedKeys {
			m.key(out.UnprocessedKeys[i].Key)
			m.dst = appendKeysAndAttributes(m.dst, &out.UnprocessedKeys[i].Value)
		}
		o.dst = m.close()
	}
	o.consumedList(out.ConsumedCapacity)
	return o.close()
}

func appendKeysAndAttributes(dst []byte, v *api.KeysAndAttributes) []byte {
	o := openObject(dst)
	o.items("Keys", v.Keys)
	o.strings("AttributesToGet", v.AttributesToGet)
	o.boolean("ConsistentRead", v.ConsistentRead)
	o.str("ProjectionExpression", v.ProjectionExpression)
	if v.ExpressionAttributeNames != nil {
		o.name("ExpressionAttributeNames")
		m := openObject(o.dst)
		for _, n := range v.ExpressionAttributeNames {
			m.key(n.Placeholder)
			m.dst = AppendJSONString(m.dst, n.Name)
		}
		o.dst = m.close()
	}
	return o.close()
}

// AppendBatchWriteItem appends the answer of a BatchWriteItem.
func AppendBatchWriteItem(dst []byte, out *api.BatchWriteItemOutput) []byte {
	o := openObject(dst)
	if out.UnprocessedItems != nil {
		o.name("UnprocessedItems")
		m := openObject(o.dst)
		for i := range out.UnprocessedItems {
			m.key(out.UnprocessedItems[i].Key)
			m.dst = appendAll(m.dst, out.UnprocessedItems[i].Value, appendWriteRequest)
		}
		o.dst = m.close()
	}
	o.metricsByTable(out.ItemCollectionMetrics)
	o.consumedList(out.ConsumedCapacity)
	return o.close()
}

func appendWriteRequest(dst []byte, w *api.WriteRequest) []byte {
	o := openObject(dst)
	if w.PutRequest != nil {
		o.name("PutRequest")
		p := openObject(o.dst)
		p.item("Item", w.PutRequest.Item)
		o.dst = p.close()
	}
	if w.DeleteRequest != nil {
		o.name("DeleteRequest")
		p := openObject(o.dst)
		p.item("Key", w.DeleteRequest.Key)
		o.dst = p.close()
	}
	return o.close()
}

// AppendTransactGetItems appends the answer of a TransactGetItems.
func AppendTransactGetItems(dst []byte, out *api.TransactGetItemsOutput) []byte {
	o := openObject(dst)
	o.consumedList(out.ConsumedCapacity)
	o.responses(out.Responses)
	return o.close()
}

// responses writes those of a transaction.
func (o *object) responses(list []api.ItemResponse) {
	if list == nil {
		return
	}
	o.name("Responses")
	o.dst = appendAll(o.dst, list, func(dst []byte, r *api.ItemResponse) []byte {
		m := openObject(dst)
		m.item("Item", r.Item)
		return m.close()
	})
}

// AppendTransactWriteItems appends the answer of a TransactWriteItems.
func AppendTransactWriteItems(dst []byte, out *api.TransactWriteItemsOutput) []byte {
	o := openObject(dst)
	o.consumedList(out.ConsumedCapacity)
	o.metricsByTable(out.ItemCollectionMetrics)
	return o.close()
}

func (o *object) consumed(c *api.ConsumedCapacity) {
	if c != nil {
		o.name("ConsumedCapacity")
		o.dst = appendConsumed(o.dst, c)
	}
}

func (o *object) consumedList(list []api.ConsumedCapacity) {
	if list != nil {
		o.name("ConsumedCapacity")
		o.dst = appendAll(o.dst, list, appendConsumed)
	}
}

func appendConsumed(dst []byte, c *api.ConsumedCapacity) []byte {
	o := openObject(dst)
	o.str("TableName", c.TableName)
	o.float("CapacityUnits", c.CapacityUnits)
	o.float("ReadCapacityUnits", c.ReadCapacityUnits)
	o.float("WriteCapacityUnits", c.WriteCapacityUnits)
	if c.Table != nil {
		o.name("Table")
		o.dst = appendCapacity(o.dst, c.Table)
	}
	o.indexes("LocalSecondaryIndexes", c.LocalSecondaryIndexes)
	o.indexes("GlobalSecondaryIndexes", c.GlobalSecondaryIndexes)
	if c.VectorIndexes != nil {
		o.name("VectorIndexes")
		m := openObject(o.dst)
		for i := range c.VectorIndexes {
			e := &c.VectorIndexes[i]
			m.key(e.Key)
			v := openObject(m.dst)
			v.float("VectorSearchRequestBytes", e.Value.VectorSearchRequestBytes)
			v.float("VectorWriteRequestBytes", e.Value.VectorWriteRequestBytes)
			m.dst = v.close()
		}
		o.dst = m.close()
	}
	return o.close()
}

func (o *object) indexes(name string, list []api.SecondaryIndexesCapacityMapEntry) {
	if list == nil {
		return
	}
	o.name(name)
	m := openObject(o.dst)
	for i := range list {
		m.key(list[i].Key)
		m.dst = appendCapacity(m.dst, &list[i].Value)
	}
	o.dst = m.close()
}

func appendCapacity(dst []byte, c *api.Capacity) []byte {
	o := openObject(dst)
	o.float("ReadCapacityUnits", c.ReadCapacityUnits)
	o.float("WriteCapacityUnits", c.WriteCapacityUnits)
	o.float("CapacityUnits", c.CapacityUnits)
	return o.close()
}

func (o *object) metrics(m *api.ItemCollectionMetrics) {
	if m != nil {
		o.name("ItemCollectionMetrics")
		o.dst = appendMetrics(o.dst, m)
	}
}

func (o *object) metricsByTable(list []api.ItemCollectionMetricsPerTableEntry) {
	if list == nil {
		return
	}
	o.name("ItemCollectionMetrics")
	m := openObject(o.dst)
	for i := range list {
		m.key(list[i].Key)
		m.dst = appendAll(m.dst, list[i].Value, appendMetrics)
	}
	o.dst = m.close()
}

func appendMetrics(dst []byte, c *api.ItemCollectionMetrics) []byte {
	o := openObject(dst)
	o.item("ItemCollectionKey", c.ItemCollectionKey)
	if c.SizeEstimateRangeGB != nil {
		o.name("SizeEstimateRangeGB")
		o.dst = appendAll(o.dst, c.SizeEstimateRangeGB, func(dst []byte, f *float64) []byte {
			return AppendJSONFloat(dst, *f)
		})
	}
	return o.close()
}
