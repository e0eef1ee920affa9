// A stream by the plain client: description, iterators, records in order with both images.
import assert from 'node:assert/strict'
import { DescribeStreamCommand, DynamoDBStreamsClient, GetRecordsCommand, GetShardIteratorCommand, ListStreamsCommand } from '@aws-sdk/client-dynamodb-streams'
import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { doc, makeTable, options } from './common.mjs'

const TableName = 'js-streams'
const { LatestStreamArn: StreamArn } = await makeTable(TableName, ['pk:S'], {
  StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' }
})
const streams = new DynamoDBStreamsClient(options)
const { Streams } = await streams.send(new ListStreamsCommand({ TableName }))
assert.deepEqual(Streams.map(s => s.StreamArn), [StreamArn])
for (const v of [1, 2, 2]) await doc.send(new PutCommand({ TableName, Item: { pk: 'k', v } }))
await doc.send(new DeleteCommand({ TableName, Key: { pk: 'k' } }))

const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }))
assert.equal(StreamDescription.StreamStatus, 'ENABLED')
const [{ ShardId }] = StreamDescription.Shards
const { ShardIterator } = await streams.send(new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' }))
const { Records, NextShardIterator } = await streams.send(new GetRecordsCommand({ ShardIterator }))
assert.ok(NextShardIterator)
const images = Records.map(({ eventName, dynamodb: d }) => [eventName, d.OldImage?.v.N, d.NewImage?.v.N])
assert.deepEqual(images, [['INSERT', undefined, '1'], ['MODIFY', '1', '2'], ['REMOVE', '2', undefined]])
assert.ok(Records[0].dynamodb.ApproximateCreationDateTime instanceof Date)
await assert.rejects(streams.send(new GetShardIteratorCommand({ StreamArn: StreamArn + '0', ShardId, ShardIteratorType: 'LATEST' })),
  { name: 'ResourceNotFoundException' })
