// Transactions: all or nothing, reasons in order, the token.
import assert from 'node:assert/strict'
import { TransactionCanceledException, IdempotentParameterMismatchException } from '@aws-sdk/client-dynamodb'
import { GetCommand, TransactGetCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb'
import { doc, makeTable } from './common.mjs'

const TableName = 'js-transactions'
await makeTable(TableName, ['pk:S'])
const put = (pk, v, more) => ({ Put: { TableName, Item: { pk, v }, ...more } })
const once = { TransactItems: [put('a', 1), put('b', 1)], ClientRequestToken: 'js-token' }
await doc.send(new TransactWriteCommand(once))
await doc.send(new TransactWriteCommand(once))
await assert.rejects(
  doc.send(new TransactWriteCommand({ ...once, TransactItems: [put('a', 2)] })), IdempotentParameterMismatchException)

await assert.rejects(doc.send(new TransactWriteCommand({
  TransactItems: [
    put('c', 1),
    put('a', 9, { ConditionExpression: 'attribute_not_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }),
    { ConditionCheck: { TableName, Key: { pk: 'b' }, ConditionExpression: 'attribute_exists(pk)' } }
  ]
})), err => {
  assert.ok(err instanceof TransactionCanceledException)
  assert.deepEqual(err.CancellationReasons.map(r => r.Code), ['None', 'ConditionalCheckFailed', 'None'])
  assert.ok(err.CancellationReasons[1].Item)
  assert.equal(err.message, 'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, None]')
  return true
})
assert.equal((await doc.send(new GetCommand({ TableName, Key: { pk: 'c' } }))).Item, undefined)

await doc.send(new TransactWriteCommand({
  TransactItems: [
    { Update: { TableName, Key: { pk: 'a' }, UpdateExpression: 'ADD v :n', ExpressionAttributeValues: { ':n': 5 } } },
    { Delete: { TableName, Key: { pk: 'b' } } }
  ]
}))
const { Responses } = await doc.send(new TransactGetCommand({
  TransactItems: ['a', 'b'].map(pk => ({ Get: { TableName, Key: { pk } } }))
}))
assert.deepEqual(Responses.map(r => r.Item), [{ pk: 'a', v: 6 }, undefined])
