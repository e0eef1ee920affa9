// What the flows share: clients of the server whose address is the first argument, and tables.
import { DynamoDBClient, CreateTableCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'

export const options = {
  endpoint: process.argv[2], region: 'us-east-1', credentials: { accessKeyId: 'any', secretAccessKey: 'key' }
}
export const client = new DynamoDBClient(options)
export const doc = DynamoDBDocumentClient.from(client)

const key = (name, KeyType) => ({ AttributeName: name.split(':')[0], KeyType })

// keySchema makes a schema of "name:type" for the partition key and, if given, the sort key.
export const keySchema = (hash, range) => [key(hash, 'HASH'), ...(range ? [key(range, 'RANGE')] : [])]

// definitions makes attribute definitions of "name:type".
export const definitions = (...keys) =>
  keys.map(k => ({ AttributeName: k.split(':')[0], AttributeType: k.split(':')[1] }))

// makeTable creates an on-demand table and waits for it; more holds further members of the request.
export async function makeTable (TableName, keys, more = {}) {
  const { TableDescription } = await client.send(new CreateTableCommand({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: keySchema(...keys),
    AttributeDefinitions: definitions(...keys),
    ...more
  }))
  await waitUntilTableExists({ client, maxWaitTime: 30 }, { TableName })
  return TableDescription
}
