import { businessUnitId, clientId, organizationId } from '../registration.ts'
import type { Environment } from './environment.ts'
import { guidOf } from './guid.ts'
import { imageAddress } from './images.ts'
import type { Row } from './rows.ts'
import { sampleUsers } from './sample-users.ts'

const seller = guidOf('systemusers/adele.vance@contoso.com')

/** Adds about a hundred fictional users, accounts and contacts to an empty environment. */
export function addSampleData(environment: Environment): void {
  const { store } = environment
  store.insert('organizations', { organizationid: organizationId, name: 'Contoso (emulated)', languagecode: 1033 })
  store.insert('businessunits', { businessunitid: businessUnitId, name: 'Contoso', isdisabled: false, ...audit(0) })
  for (const name of ['System Administrator', 'Delegate', 'Salesperson', 'Service Reader']) {
    store.insert('roles', { roleid: guidOf(`roles/${name}`), name, _businessunitid_value: businessUnitId, ...audit(0) })
  }
  for (const user of sampleUsers()) {
    const { systemuserid } = store.insert('systemusers', {
      ...user,
      ownerid: String(user['systemuserid']),
      _businessunitid_value: businessUnitId,
      ...audit(1),
    })
    const role = user['applicationid'] === clientId ? 'Delegate' : 'Salesperson'
    store.relate('systemuserroles', `${String(systemuserid)}/${guidOf(`roles/${role}`)}`, true)
  }
  for (let number = 0; number < 110; number += 1) store.insert('accounts', account(number))
  for (let number = 0; number < 130; number += 1) store.insert('contacts', contact(number))
  for (let number = 0; number < 40; number += 1) store.insert('opportunities', opportunity(number))
  for (let number = 0; number < 30; number += 1) store.insert('tasks', task(number))
}

const semaphore: readonly (readonly [city: string, country: string, code: string])[] = [
  ['Amsterdam', 'Netherlands', '1011 AB'],
  ['Zürich', 'Switzerland', '8001'],
  ['København', 'Denmark', '1050'],
  ['Wien', 'Austria', '1010'],
  ['Málaga', 'Spain', '29001'],
  ['Łódź', 'Poland', '90-001'],
  ['Leeds', 'United Kingdom', 'LS1 1UR'],
  ['Lyon', 'France', '69001'],
  ['Torino', 'Italy', '10121'],
  ['Göteborg', 'Sweden', '411 01'],
  ['Cork', 'Ireland', 'T12'],
]

const firstWords = [
  'Alpine',
  'Northwind',
  'Fabrikam',
  'Litware',
  'Proseware',
  'Wingtip',
  'Coho',
  'Trey',
  'Lucerne',
  'Margie’s',
  'Relecloud',
  'Tailspin',
  'Blue Yonder',
  'Woodgrove',
  'Fourth Coffee',
  'Humongous',
  'Consolidated',
  'Adatum',
  'Datum',
  'Munson’s',
  'Søren & Sønner',
  'Bäckerei Müller',
]

const secondWords = ['Traders', 'Logistics', 'Ski House', 'Vineyard', 'Publishing']

function account(number: number): Row {
  const name = accountName(number)
  const [city, country, code] = rotate(semaphore, number)
  const id = accountId(number)
  return {
    accountid: id,
    name,
    accountnumber: number === 7 ? 'A/B' : number === 8 ? "O'Hara & Söhne" : `C-${1000 + number}`,
    telephone1: `+31 20 555 ${String(100 + number)}`,
    websiteurl: `https://www.${slug(name)}.example`,
    emailaddress1: `info@${slug(name)}.example`,
    address1_line1: `${number + 1} Market Street`,
    address1_city: city,
    address1_country: country,
    address1_postalcode: code,
    // Looks like a link of the environment, but is data, which must not be rewritten.
    description:
      number % 10 === 3
        ? `See https://contoso.crm4.dynamics.com/api/data/v9.2/accounts(${id}) and "quotes", {"@odata.id":"x"}`
        : null,
    revenue: 25_000 * ((number % 17) + 1),
    creditlimit: number % 4 === 0 ? 10_000.5 : null,
    numberofemployees: ((number * 7) % 400) + 3,
    industrycode: (number % 6) + 1,
    creditonhold: number % 9 === 0,
    sample_serial: 9_007_199_254_740_993n + BigInt(number),
    entityimage: number % 20 === 0 ? pixel : null,
    entityimage_url: number % 20 === 0 ? imageAddress('account', id, 638_000_000_000_000_000n) : null,
    _primarycontactid_value: number < 100 ? contactId(number) : null,
    _parentaccountid_value: number % 5 === 4 ? accountId(number - 4) : null,
    ...audit(number + 2),
    ...owned(number),
  }
}

const firstNames = [
  'Yvonne',
  'Susanna',
  'Nancy',
  'Maria',
  'Sidney',
  'Scott',
  'Robert',
  'Rene',
  'Jim',
  'Patrick',
  'Paul',
  'Zoë',
  'Björn',
  'Søren',
  'Łukasz',
  '明',
  'Aoife',
  'Chloé',
  'Iñigo',
  'Ægir',
]

const lastNames = [
  'McKay',
  'Stubberod',
  'Anderson',
  'Campbell',
  'Higa',
  'Konersmann',
  'Lyon',
  'Valdes',
  'Glynn',
  'Sandström',
  'O’Brien',
  'Müller',
  'Cannon',
]

function contact(number: number): Row {
  const firstname = rotate(firstNames, number)
  const lastname = rotate(lastNames, number)
  const [city, country, code] = rotate(semaphore, number * 3)
  return {
    contactid: contactId(number),
    firstname,
    lastname,
    fullname: `${firstname} ${lastname}`,
    jobtitle: rotate(['Buyer', 'Purchasing Manager', 'Owner', 'Director of Operations', null], number),
    emailaddress1: `${slug(`${firstname} ${lastname}`)}.${number}@${slug(accountName(number % 110))}.example`,
    telephone1: `+44 20 7946 ${1000 + number}`,
    mobilephone: number % 3 === 0 ? `+44 7700 900${100 + number}` : null,
    address1_city: city,
    address1_country: country,
    address1_postalcode: code,
    address1_line1: `${number + 3} Harbour Road`,
    description: null,
    birthdate: number % 4 === 0 ? `19${String(60 + (number % 40))}-0${(number % 9) + 1}-15` : null,
    gendercode: null,
    donotemail: number % 6 === 0,
    creditlimit: null,
    _parentcustomerid_value: accountId(number % 110),
    ...audit(number + 3),
    ...owned(number + 1),
  }
}

function opportunity(number: number): Row {
  return {
    opportunityid: guidOf(`opportunities/${number}`),
    name: `${rotate(['Renewal', 'New machines', 'Service contract', 'Pilot'], number)} – ${accountName(number)}`,
    estimatedvalue: 1250.75 * (number + 1),
    estimatedclosedate: '2027-03-31T00:00:00Z',
    closeprobability: (number * 13) % 100,
    _customerid_value: accountId(number),
    ...audit(number + 4),
    ...owned(number + 2),
  }
}

function task(number: number): Row {
  return {
    activityid: guidOf(`tasks/${number}`),
    subject: `Call ${rotate(firstNames, number)} back`,
    percentcomplete: 0,
    prioritycode: number % 3,
    scheduledend: '2027-01-15T09:00:00Z',
    _regardingobjectid_value: accountId(number % 6),
    ...audit(number + 5),
    ...owned(number + 3),
  }
}

/** The id of the n-th sample account, counting from 0. It is the same in every run. */
export function accountId(number: number): string {
  return guidOf(`accounts/${number}`)
}

/** The id of the n-th sample contact, counting from 0. It is the same in every run. */
export function contactId(number: number): string {
  return guidOf(`contacts/${number}`)
}

function accountName(number: number): string {
  return `${rotate(firstWords, number)} ${rotate(secondWords, Math.floor(number / firstWords.length))}`
}

/** The elements of a list in rotation. */
function rotate<T>(list: readonly T[], number: number): T {
  // The remainder is always an index of the list.
  return list[number % list.length] as T
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '')
}

function audit(day: number): Row {
  const at = new Date(Date.UTC(2025, 0, 1 + day, 8, day % 60)).toISOString().replace('.000', '')
  return {
    createdon: at,
    modifiedon: at,
    _createdby_value: seller,
    _modifiedby_value: seller,
    _createdonbehalfby_value: null,
    _modifiedonbehalfby_value: null,
  }
}

function owned(number: number): Row {
  return {
    _ownerid_value: seller,
    _owninguser_value: seller,
    _owningbusinessunit_value: businessUnitId,
    statecode: number % 11 === 0 ? 1 : 0,
    statuscode: number % 11 === 0 ? 2 : 1,
  }
}

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
