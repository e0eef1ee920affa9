// The parameters of before expressions.
import assert from 'node:assert/strict'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { DeleteCommand, GetCommand, PutCommand, QueryCommand, ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { doc, makeTable } from './common.mjs'

const TableName = 'js-legacy'
await makeTable(TableName, ['pk:S', 'sk:N'])
for (let sk = 0; sk < 6; sk++) {
  await doc.send(new PutCommand({ TableName, Item: { pk: 'p', sk, even: sk % 2 === 0 }, Expected: { pk: { Exists: false } } }))
}
const Key = { pk: 'p', sk: 1 }
await assert.rejects(
  doc.send(new PutCommand({ TableName, Item: Key, Expected: { pk: { Exists: false } } })), ConditionalCheckFailedException)
const updated = await doc.send(new UpdateCommand({
  TableName, Key, ReturnValues: 'ALL_NEW',
  AttributeUpdates: { even: { Action: 'DELETE' }, n: { Action: 'ADD', Value: 2 }, t: { Action: 'PUT', Value: 'x' } }
}))
assert.deepEqual(updated.Attributes, { ...Key, n: 2, t: 'x' })
assert.deepEqual((await doc.send(new GetCommand({ TableName, Key, AttributesToGet: ['n'] }))).Item, { n: 2 })

const range = { ComparisonOperator: 'BETWEEN', AttributeValueList: [2, 5] }
const even = { ComparisonOperator: 'EQ', AttributeValueList: [true] }
const query = await doc.send(new QueryCommand({
  TableName,
  KeyConditions: { pk: { ComparisonOperator: 'EQ', AttributeValueList: ['p'] }, sk: range },
  QueryFilter: { even }
}))
assert.deepEqual(query.Items.map(i => i.sk), [2, 4])
const scan = await doc.send(new ScanCommand({
  TableName, ScanFilter: { even, t: { ComparisonOperator: 'NOT_NULL' } }, ConditionalOperator: 'OR', AttributesToGet: ['sk']
}))
assert.deepEqual(scan.Items.map(i => i.sk).sort(), [0, 1, 2, 4])
await assert.rejects(doc.send(new DeleteCommand({
  TableName, Key, Expected: { n: { ComparisonOperator: 'GT', AttributeValueList: [2] } }
})), ConditionalCheckFailedException)
await assert.rejects(doc.send(new DeleteCommand({
  TableName, Key, Expected: { n: { Value: 2 } }, ConditionExpression: 'attribute_exists(pk)'
})), { name: 'ValidationException', message: /^Can not use both expression and non-expression parameters in the same request/ })
