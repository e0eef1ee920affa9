package codec

import "github.com/keystone-db/kstone/engine/api"

// AppendExecuteStatement appends the answer of an ExecuteStatement.
func AppendExecuteStatement(dst []byte, out *api.ExecuteStatementOutput) []byte {
	o := openObject(dst)
	o.items("Items", out.Items)
	o.str("NextToken", out.NextToken)
	o.consumed(out.ConsumedCapacity)
	o.item("LastEvaluatedKey", out.LastEvaluatedKey)
	return o.close()
}

// AppendBatchExecuteStatement appends the answer of a BatchExecuteStatement.
func AppendBatchExecuteStatement(dst []byte, out *api.BatchExecuteStatementOutput) []byte {
	o := openObject(dst)
	if out.Responses != nil {
		o.name("Responses")
		o.dst = appendAll(o.dst, out.Responses, appendStatementResponse)
	}
	o.consumedList(out.ConsumedCapacity)
	return o.close()
}

func appendStatementResponse(dst []byte, r *api.BatchStatementResponse) []byte {
	o := openObject(dst)
	if r.Error != nil {
		o.name("Error")
		e := openObject(o.dst)
		e.str("Code", r.Error.Code)
		e.str("Message", r.Error.Message)
		e.item("Item", r.Error.Item)
		o.dst = e.close()
	}
	o.str("TableName", r.TableName)
	o.item("Item", r.Item)
	return o.close()
}

// AppendExecuteTransaction appends the answer of an ExecuteTransaction.
func AppendExecuteTransaction(dst []byte, out *api.ExecuteTransactionOutput) []byte {
	o := openObject(dst)
	o.responses(out.Responses)
	o.consumedList(out.ConsumedCapacity)
	return o.close()
}
