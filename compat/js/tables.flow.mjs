// Tables: waiters, indexes of living tables, tags, TTL settings, errors by name.
import assert from 'node:assert/strict'
import {
  DeleteTableCommand, DescribeTableCommand, DescribeTimeToLiveCommand, ListTagsOfResourceCommand,
  ListTablesCommand, TagResourceCommand, UntagResourceCommand, UpdateTableCommand,
  UpdateTimeToLiveCommand, waitUntilTableNotExists, ResourceInUseException, ResourceNotFoundException
} from '@aws-sdk/client-dynamodb'
import { client, makeTable } from './common.mjs'

const TableName = 'js-tables'
const { TableArn: ResourceArn } = await makeTable(TableName, ['pk:S', 'sk:N'])
await assert.rejects(makeTable(TableName, ['pk:S']), ResourceInUseException)

const { TableNames } = await client.send(new ListTablesCommand({}))
assert.ok(TableNames.includes(TableName))

await client.send(new UpdateTableCommand({
  TableName,
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }, { AttributeName: 'sk', AttributeType: 'N' }],
  DeletionProtectionEnabled: true
}))
await assert.rejects(client.send(new DeleteTableCommand({ TableName })), { name: 'ValidationException' })
const { Table } = await client.send(new DescribeTableCommand({ TableName }))
assert.equal(Table.DeletionProtectionEnabled, true)
assert.ok(Table.CreationDateTime instanceof Date)

await client.send(new TagResourceCommand({ ResourceArn, Tags: [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '2' }] }))
await client.send(new UntagResourceCommand({ ResourceArn, TagKeys: ['a'] }))
const { Tags } = await client.send(new ListTagsOfResourceCommand({ ResourceArn }))
assert.deepEqual(Tags, [{ Key: 'b', Value: '2' }])

await client.send(new UpdateTimeToLiveCommand({
  TableName, TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires' }
}))
const { TimeToLiveDescription: ttl } = await client.send(new DescribeTimeToLiveCommand({ TableName }))
assert.equal(ttl.AttributeName, 'expires')
assert.match(ttl.TimeToLiveStatus, /^ENABL(ED|ING)$/)

await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }))
await client.send(new DeleteTableCommand({ TableName }))
await waitUntilTableNotExists({ client, maxWaitTime: 30 }, { TableName })
await assert.rejects(client.send(new DescribeTableCommand({ TableName })), ResourceNotFoundException)
