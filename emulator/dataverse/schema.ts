import { audited, boolean, choice, date, type EntityType, guid, integer, money, owned, text } from './entity-type.ts'

export type { Collection, Column, EntityType, Lookup } from './entity-type.ts'

const address = {
  address1_line1: text(250),
  address1_city: text(80),
  address1_postalcode: text(20),
  address1_country: text(80),
}

const account = owned({
  name: 'account',
  set: 'accounts',
  key: 'accountid',
  title: 'name',
  columns: {
    name: text(160),
    accountnumber: text(20),
    telephone1: text(50),
    websiteurl: text(200),
    emailaddress1: text(100),
    ...address,
    description: text(2000),
    revenue: money,
    creditlimit: money,
    numberofemployees: integer,
    industrycode: choice('', 'Accounting', 'Agriculture', 'Broadcasting', 'Brokers', 'Building Supply', 'Consulting'),
    creditonhold: boolean,
    sample_serial: { type: 'big' },
    sample_file: { type: 'file' },
    entityimage: { type: 'image' },
  },
  lookups: {
    primarycontactid: { column: '_primarycontactid_value', set: 'contacts' },
    parentaccountid: { column: '_parentaccountid_value', set: 'accounts' },
  },
  collections: {
    contact_customer_accounts: { set: 'contacts', column: '_parentcustomerid_value' },
    account_parent_account: { set: 'accounts', column: '_parentaccountid_value' },
    opportunity_customer_accounts: { set: 'opportunities', column: '_customerid_value' },
    Account_Tasks: { set: 'tasks', column: '_regardingobjectid_value' },
    Account_Annotation: { set: 'annotations', column: '_objectid_value' },
  },
  alternateKeys: [['accountnumber'], ['name', 'address1_city']],
})

const contact = owned({
  name: 'contact',
  set: 'contacts',
  key: 'contactid',
  title: 'fullname',
  columns: {
    firstname: text(50),
    lastname: text(50),
    fullname: text(160),
    jobtitle: text(100),
    emailaddress1: text(100),
    telephone1: text(50),
    mobilephone: text(50),
    ...address,
    description: text(2000),
    birthdate: date,
    gendercode: choice('', 'Male', 'Female'),
    donotemail: boolean,
    creditlimit: money,
    entityimage: { type: 'image' },
  },
  lookups: {
    parentcustomerid_account: { column: '_parentcustomerid_value', set: 'accounts' },
    parentcustomerid_contact: { column: '_parentcustomerid_value', set: 'contacts' },
  },
  collections: {
    account_primary_contact: { set: 'accounts', column: '_primarycontactid_value' },
    Contact_Tasks: { set: 'tasks', column: '_regardingobjectid_value' },
    Contact_Annotation: { set: 'annotations', column: '_objectid_value' },
  },
  alternateKeys: [['emailaddress1']],
})

const opportunity = owned({
  name: 'opportunity',
  set: 'opportunities',
  key: 'opportunityid',
  title: 'name',
  columns: {
    name: text(300),
    description: text(2000),
    estimatedvalue: money,
    estimatedclosedate: date,
    closeprobability: integer,
  },
  lookups: {
    customerid_account: { column: '_customerid_value', set: 'accounts' },
    customerid_contact: { column: '_customerid_value', set: 'contacts' },
  },
  collections: { Opportunity_Tasks: { set: 'tasks', column: '_regardingobjectid_value' } },
  alternateKeys: [],
})

const task = owned({
  name: 'task',
  set: 'tasks',
  key: 'activityid',
  title: 'subject',
  columns: {
    subject: text(200),
    description: text(2000),
    scheduledstart: date,
    scheduledend: date,
    percentcomplete: integer,
    prioritycode: choice('Low', 'Normal', 'High'),
  },
  lookups: {
    regardingobjectid_account_task: { column: '_regardingobjectid_value', set: 'accounts' },
    regardingobjectid_contact_task: { column: '_regardingobjectid_value', set: 'contacts' },
    regardingobjectid_opportunity_task: { column: '_regardingobjectid_value', set: 'opportunities' },
  },
  collections: {},
  alternateKeys: [],
})

const annotation = owned({
  name: 'annotation',
  set: 'annotations',
  key: 'annotationid',
  title: 'subject',
  columns: {
    subject: text(500),
    notetext: text(100_000),
    filename: text(255),
    mimetype: text(256),
    isdocument: boolean,
    documentbody: text(200 * 1024 * 1024),
  },
  lookups: {
    objectid_account: { column: '_objectid_value', set: 'accounts' },
    objectid_contact: { column: '_objectid_value', set: 'contacts' },
  },
  collections: {},
  alternateKeys: [],
})

const systemuser = audited({
  name: 'systemuser',
  set: 'systemusers',
  key: 'systemuserid',
  title: 'fullname',
  columns: {
    firstname: text(256),
    lastname: text(256),
    fullname: text(200),
    internalemailaddress: text(100),
    domainname: text(1024),
    personalemailaddress: text(100),
    windowsliveid: text(100),
    title: text(128),
    azureactivedirectoryobjectid: guid,
    applicationid: guid,
    applicationiduri: text(1024),
    isdisabled: boolean,
    islicensed: boolean,
    isintegrationuser: boolean,
    setupuser: boolean,
    accessmode: choice('Read-Write', 'Administrative', 'Read', 'Support User', 'Non-interactive', 'Delegated Admin'),
    ownerid: guid,
  },
  lookups: { businessunitid: { column: '_businessunitid_value', set: 'businessunits' } },
  collections: { systemuserroles_association: { set: 'roles', pairs: 'systemuserroles', half: 0 } },
  alternateKeys: [],
})

const role = audited({
  name: 'role',
  set: 'roles',
  key: 'roleid',
  title: 'name',
  columns: { name: text(100) },
  lookups: { businessunitid: { column: '_businessunitid_value', set: 'businessunits' } },
  collections: { systemuserroles_association: { set: 'systemusers', pairs: 'systemuserroles', half: 1 } },
  alternateKeys: [],
})

const businessunit = audited({
  name: 'businessunit',
  set: 'businessunits',
  key: 'businessunitid',
  title: 'name',
  columns: { name: text(160), isdisabled: boolean },
  lookups: { parentbusinessunitid: { column: '_parentbusinessunitid_value', set: 'businessunits' } },
  collections: { business_unit_system_users: { set: 'systemusers', column: '_businessunitid_value' } },
  alternateKeys: [],
})

const organization = audited({
  name: 'organization',
  set: 'organizations',
  key: 'organizationid',
  title: 'name',
  columns: { name: text(160), languagecode: integer, basecurrencyprecision: integer },
  lookups: {},
  collections: {},
  alternateKeys: [],
})

/** Every entity type of the emulated environment, by the name of its entity set. */
export const entityTypes: ReadonlyMap<string, EntityType> = new Map(
  [account, contact, opportunity, task, annotation, systemuser, role, businessunit, organization].map((type) => [
    type.set,
    type,
  ]),
)

/** The entity type of an entity set that is known to exist. */
export function typeOf(set: string): EntityType {
  const type = entityTypes.get(set)
  if (type === undefined) throw new Error(`There is no entity set ${set}`)
  return type
}

/** The entity type with a logical name, such as `account`. */
export function typeNamed(name: string): EntityType | undefined {
  return [...entityTypes.values()].find((type) => type.name === name)
}

/** Columns that only the service sets. */
export const readOnlyColumns: ReadonlySet<string> = new Set([
  'createdon',
  'modifiedon',
  'versionnumber',
  'azureactivedirectoryobjectid',
  'entityimage_url',
  'sample_file_name',
])
