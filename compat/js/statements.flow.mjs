// PartiQL: single statements with parameters and pages, batches, transactions, errors by name.
import assert from 'node:assert/strict'
import { DuplicateItemException, TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import { BatchExecuteStatementCommand, ExecuteStatementCommand, ExecuteTransactionCommand } from '@aws-sdk/lib-dynamodb'
import { doc, makeTable } from './common.mjs'

const TableName = 'js-statements'
await makeTable(TableName, ['pk:S', 'sk:N'])
const run = (Statement, Parameters, more) => doc.send(new ExecuteStatementCommand({ Statement, Parameters, ...more }))
const insert = `INSERT INTO "${TableName}" VALUE {'pk': ?, 'sk': ?, 'v': ?}`
for (let sk = 0; sk < 5; sk++) await run(insert, ['p', sk, 'v' + sk])
await assert.rejects(run(insert, ['p', 0, 'again']), DuplicateItemException)
await assert.rejects(run('SELECT FROM'), { name: 'ValidationException' })

const sks = []
let NextToken
do {
  const page = await run(`SELECT sk FROM "${TableName}" WHERE pk = ? ORDER BY sk DESC`, ['p'], { Limit: 2, NextToken })
  sks.push(...page.Items.map(i => i.sk))
  NextToken = page.NextToken
} while (NextToken)
assert.deepEqual(sks, [4, 3, 2, 1, 0])

const changed = await run(`UPDATE "${TableName}" SET v = ? WHERE pk = ? AND sk = ? RETURNING MODIFIED NEW *`, ['new', 'p', 1])
assert.deepEqual(changed.Items, [{ v: 'new' }])
const gone = await run(`DELETE FROM "${TableName}" WHERE pk = 'p' AND sk = 2 RETURNING ALL OLD *`)
assert.equal(gone.Items[0].v, 'v2')

const get = sk => ({ Statement: `SELECT * FROM "${TableName}" WHERE pk = ? AND sk = ?`, Parameters: ['p', sk] })
const { Responses } = await doc.send(new BatchExecuteStatementCommand({ Statements: [get(1), get(2), get(3)] }))
assert.deepEqual(Responses.map(r => r.Item?.v), ['new', undefined, 'v3'])
const failed = await doc.send(new BatchExecuteStatementCommand({
  Statements: [{ Statement: insert, Parameters: ['p', 3, 'x'] }, { Statement: insert, Parameters: ['p', 9, 'x'] }]
}))
assert.equal(failed.Responses[0].Error.Code, 'DuplicateItem')
assert.equal(failed.Responses[1].Error, undefined)

const transact = (...TransactStatements) => doc.send(new ExecuteTransactionCommand({ TransactStatements }))
await assert.rejects(transact({ Statement: insert, Parameters: ['p', 7, 'x'] }, { Statement: insert, Parameters: ['p', 9, 'x'] }), err => {
  assert.ok(err instanceof TransactionCanceledException)
  assert.deepEqual(err.CancellationReasons.map(r => r.Code), ['None', 'DuplicateItem'])
  return true
})
await transact({ Statement: insert, Parameters: ['p', 7, 'x'] },
  { Statement: `UPDATE "${TableName}" SET v = 'y' WHERE pk = 'p' AND sk = 9` })
const both = await transact(get(7), get(9))
assert.deepEqual(both.Responses.map(r => r.Item.v), ['x', 'y'])
