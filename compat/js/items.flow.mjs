// Items through the document client: conditions, all types, pages of queries and scans, batches.
import assert from 'node:assert/strict'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand, BatchWriteCommand, DeleteCommand, GetCommand, PutCommand, UpdateCommand,
  paginateQuery, paginateScan
} from '@aws-sdk/lib-dynamodb'
import { doc, makeTable } from './common.mjs'

const TableName = 'js-items'
await makeTable(TableName, ['pk:S', 'sk:N'])
const Key = { pk: 'p', sk: 0 }
const Item = {
  ...Key, text: 'naïve ☃', list: [1, 'two', null, { three: [true] }],
  raw: new Uint8Array([0, 255]), set: new Set(['a', 'b']), numbers: new Set([1, 2]), empty: ''
}
await doc.send(new PutCommand({ TableName, Item }))
assert.deepEqual((await doc.send(new GetCommand({ TableName, Key, ConsistentRead: true }))).Item, Item)

const ConditionExpression = 'attribute_not_exists(pk)'
await assert.rejects(
  doc.send(new PutCommand({ TableName, Item, ConditionExpression, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' })),
  err => err instanceof ConditionalCheckFailedException && err.message === 'The conditional request failed' &&
    err.Item !== undefined)
await assert.rejects(doc.send(new PutCommand({ TableName, Item: { pk: 'p' } })), {
  name: 'ValidationException', message: /Missing the key sk in the item/
})

const updated = await doc.send(new UpdateCommand({
  TableName, Key,
  UpdateExpression: 'SET #l = list_append(#l, :more) REMOVE #t ADD hits :one DELETE #s :gone',
  ExpressionAttributeNames: { '#l': 'list', '#t': 'text', '#s': 'set' },
  ExpressionAttributeValues: { ':more': ['end'], ':one': 1, ':gone': new Set(['a']) },
  ReturnValues: 'UPDATED_NEW', ReturnConsumedCapacity: 'TOTAL'
}))
assert.deepEqual(updated.Attributes, { list: [...Item.list, 'end'], hits: 1, set: new Set(['b']) })
assert.equal(updated.ConsumedCapacity.CapacityUnits, 1)
const deleted = await doc.send(new DeleteCommand({
  TableName, Key, ConditionExpression: 'hits = :n', ExpressionAttributeValues: { ':n': 1 }, ReturnValues: 'ALL_OLD'
}))
assert.equal(deleted.Attributes.hits, 1)
assert.equal((await doc.send(new GetCommand({ TableName, Key }))).Item, undefined)

// Batches, with what a client does about unprocessed parts.
const keys = Array.from({ length: 60 }, (_, sk) => ({ pk: 'batch', sk }))
for (let at = 0; at < keys.length; at += 25) {
  let pending = { [TableName]: keys.slice(at, at + 25).map(k => ({ PutRequest: { Item: { ...k, filler: 'x'.repeat(30000) } } })) }
  while (Object.keys(pending).length > 0) {
    pending = (await doc.send(new BatchWriteCommand({ RequestItems: pending }))).UnprocessedItems ?? {}
  }
}
const found = []
let rounds = 0
for (let pending = { [TableName]: { Keys: keys, ProjectionExpression: 'sk, filler' } }; Object.keys(pending).length > 0; rounds++) {
  const out = await doc.send(new BatchGetCommand({ RequestItems: pending }))
  found.push(...out.Responses[TableName].map(i => i.sk))
  pending = out.UnprocessedKeys ?? {}
}
assert.deepEqual(found.sort((a, b) => a - b), keys.map(k => k.sk))
assert.equal(rounds, 1) // 1.8 MB is below 16 MB

// A query of 1.8 MB has two pages without a limit, and pages of the wanted size with one.
// A request of its own for each walk: paginators leave their last start key in it.
const query = () => ({ TableName, KeyConditionExpression: 'pk = :p', ExpressionAttributeValues: { ':p': 'batch' } })
const sizes = async (pages) => { const out = []; for await (const page of pages) out.push(page.Count); return out }
const total = counts => counts.reduce((a, b) => a + b, 0)
const byBytes = await sizes(paginateQuery({ client: doc }, query()))
assert.equal(byBytes.length, 2)
assert.equal(total(byBytes), 60)
assert.deepEqual(await sizes(paginateQuery({ client: doc, pageSize: 25 }, query())), [25, 25, 10])
const scanned = await sizes(paginateScan({ client: doc, pageSize: 7 }, {
  TableName, FilterExpression: 'sk < :ten', ExpressionAttributeValues: { ':ten': 10 }
}))
assert.equal(total(scanned), 10)
