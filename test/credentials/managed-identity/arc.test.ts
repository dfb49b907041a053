import t from 'tap'

import { arcChallengeResponse } from '../../../src/credentials/managed-identity/arc.ts'

t.test("Azure Arc: answers the agent's challenge only with the agent's own file", async (t) => {
  const dir = t.testdir({ 'a.key': 'k3y', 'big.key': 'x'.repeat(5000), 'a.txt': 'no' })
  t.equal(arcChallengeResponse(`Basic realm=${dir}/a.key`, dir), 'Basic k3y')
  for (const challenge of [
    undefined,
    'Bearer',
    `Basic realm=${dir}/a.txt`,
    `Basic realm=${dir}/../x.key`,
    'Basic realm=/etc/shadow.key',
    'Basic realm=relative.key',
  ]) {
    t.throws(() => arcChallengeResponse(challenge, dir), { refused: true, message: /not its own/ }, String(challenge))
  }
  t.throws(() => arcChallengeResponse(`Basic realm=${dir}/big.key`, dir), /EFBIG/)
  t.throws(() => arcChallengeResponse(`Basic realm=${dir}/none.key`, dir), /ENOENT.*himds/)
})
