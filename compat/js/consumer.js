// A replica of a table in memory, kept by the library dynamodb-stream (npm), compared with the table.
// Argument: the server's address. Prints one line; the test reads it.
const DynamoDBStream = require('dynamodb-stream')
const { DynamoDB } = require('@aws-sdk/client-dynamodb')
const { DynamoDBStreams } = require('@aws-sdk/client-dynamodb-streams')
const { unmarshall } = require('@aws-sdk/util-dynamodb')

const options = {
  endpoint: process.argv[2], region: 'us-east-1', credentials: { accessKeyId: 'any', secretAccessKey: 'key' }
}
const TableName = 'consumed'

async function main () {
  const db = new DynamoDB(options)
  const { TableDescription: table } = await db.createTable({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' }
  })
  const stream = new DynamoDBStream(new DynamoDBStreams(options), table.LatestStreamArn, unmarshall)
  const replica = new Map()
  let events = 0
  const set = item => { events++; replica.set(item.pk, item) }
  stream.on('insert record', set)
  stream.on('modify record', set)
  stream.on('remove record', item => { events++; replica.delete(item.pk) })
  await stream.fetchStreamState()
  for (let i = 0; i < 60; i++) {
    const pk = { S: 'k' + i % 9 }
    if (i % 7 === 6) {
      await db.deleteItem({ TableName, Key: { pk } })
    } else {
      await db.putItem({ TableName, Item: { pk, v: { N: String(i) } } })
    }
  }
  await stream.fetchStreamState()
  const { Items } = await db.scan({ TableName })
  const sorted = entries => JSON.stringify([...entries].sort())
  const same = sorted(replica) === sorted(Items.map(unmarshall).map(item => [item.pk, item]))
  console.log(same ? 'equal' : 'different', 'after', events, 'events')
}

main().catch(err => { console.error(err); process.exit(1) })
