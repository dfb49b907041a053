import t from 'tap'
import { idQueryInward } from '../../src/odata/id-query.ts'
import { targetAddress } from '../../src/odata/target-address.ts'
import { urlMap } from '../../src/odata/url-map.ts'

const root = 'https://org.crm4.dynamics.com/api/data/v9.2'
const map = urlMap(targetAddress(root), { base: 'http://gw:8080', form: 'short' })

t.test('only the gateway in $id becomes the target, written as it was', async t => {
  for (const [query, expected] of [
    ['$id=http://gw:8080/accounts(1)', `$id=${root}/accounts(1)`],
    ['?$id=http://gw:8080/api/data/v9.2/accounts(1)', `?$id=${root}/accounts(1)`],
    ['%24id=http%3A%2F%2Fgw%3a8080%2Faccounts(1)', `%24id=${encodeURIComponent(root)}%2Faccounts(1)`],
    ['$ID=http://gw:8080/a', '$ID=http://gw:8080/a'],
    ['a=%zz&$id=http://gw%3A8080/a(%27%zz%27)&b=%2522+', `a=%zz&$id=${encodeURIComponent(root)}/a(%27%zz%27)&b=%2522+`],
    [
      '$filter=x eq \'http://gw:8080/a\'&a$id=http://gw:8080/a',
      '$filter=x eq \'http://gw:8080/a\'&a$id=http://gw:8080/a',
    ],
    ['$id=https://evil.example/accounts(1)', '$id=https://evil.example/accounts(1)'],
    ['$id=accounts(1)', '$id=accounts(1)'],
    ['$id=', '$id='],
    ['', ''],
    ['$top=3', '$top=3'],
  ] as const) t.equal(idQueryInward(map, query), expected, query)
})
