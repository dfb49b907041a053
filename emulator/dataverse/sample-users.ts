import { clientId } from '../registration.ts'
import { guidOf } from './guid.ts'
import type { Row } from './rows.ts'

/** About a hundred users, including every case that makes a lookup by e-mail address difficult. */
export function sampleUsers(): readonly Row[] {
  return [
    person('Adele Vance', 'adele.vance@contoso.com'),
    person('Alex Wilber', 'alex.wilber@contoso.com'),
    person('Diego Siciliani', 'diego.siciliani@contoso.com'),
    person("Brian O'Neil", "brian.o'neil@contoso.com"),
    person('Grady Archie', 'grady.archie+sales@contoso.com'),
    // The underscore is a wildcard where `eq` compares like LIKE: each of these addresses matches the other.
    person('Isaiah Langer', 'isaiah_langer@contoso.com'),
    person('Isaiah X. Langer', 'isaiahxlanger@contoso.com'),
    person('Jürgen Müller', 'jürgen.müller@contoso.com'),
    person('Lee Gu', 'Lee.Gu@Contoso.com'),
    // Two people with the same address, both enabled.
    person('Megan Bowen', 'megan.bowen@contoso.com'),
    person('Megan Bowen', 'megan.bowen@contoso.com', {
      systemuserid: guidOf('systemusers/megan.bowen/2'),
      azureactivedirectoryobjectid: guidOf('entra/megan.bowen/2'),
      domainname: 'megan.bowen2@contoso.com',
    }),
    // A disabled row besides the enabled one.
    person('Miriam Graham', 'miriam.graham@contoso.com'),
    person('Miriam Graham', 'miriam.graham@contoso.com', {
      systemuserid: guidOf('systemusers/miriam.graham/old'),
      azureactivedirectoryobjectid: null,
      isdisabled: true,
      islicensed: false,
    }),
    person('Nestor Wilke', 'nestor.wilke@contoso.com', { isdisabled: true, islicensed: false }),
    // An application user with a person's address.
    person('Patti Fernandez', 'patti.fernandez@contoso.com'),
    application('# Invoice Importer', guidOf('applications/invoices'), 'patti.fernandez@contoso.com'),
    // Never synchronised with Entra.
    person('Pradeep Gupta', 'pradeep.gupta@contoso.com', { azureactivedirectoryobjectid: null }),
    // A guest, whose user name is not the address.
    person('Kai Carter', 'kai.carter@fabrikam.example', {
      domainname: 'kai.carter_fabrikam.example#EXT#@contoso.onmicrosoft.com',
    }),
    // Without an address, only with a user name.
    person('Raul Razo', 'raul.razo@contoso.com', { internalemailaddress: null }),
    person('Enrico Cattaneo', 'enrico.cattaneo@contoso.com', { accessmode: 2 }),
    person('Support Desk', 'support@contoso.com', { accessmode: 3 }),
    person('Integration Runner', 'runner@contoso.com', { accessmode: 4 }),
    person('Delegated Admin', 'partner.admin@contoso.com', { accessmode: 5 }),
    application('# Dynamics gateway', clientId, null),
    builtIn('SYSTEM', 'b1e9d7a4-0000-4a00-8000-000000000001'),
    builtIn('INTEGRATION', 'b1e9d7a4-0000-4a00-8000-000000000002'),
    ...crowd(),
  ]
}

function person(name: string, address: string, differences: Row = {}): Row {
  const [firstname = '', ...rest] = name.split(' ')
  return {
    systemuserid: guidOf(`systemusers/${address}`),
    fullname: name,
    firstname,
    lastname: rest.join(' '),
    internalemailaddress: address,
    domainname: address.toLowerCase(),
    azureactivedirectoryobjectid: guidOf(`entra/${address}`),
    applicationid: null,
    applicationiduri: null,
    isdisabled: false,
    islicensed: true,
    isintegrationuser: false,
    setupuser: false,
    accessmode: 0,
    title: null,
    personalemailaddress: null,
    windowsliveid: address.toLowerCase(),
    ...differences,
  }
}

function application(name: string, applicationid: string, address: string | null): Row {
  return {
    ...person(name, `${applicationid}@contoso.com`),
    internalemailaddress: address,
    applicationid,
    applicationiduri: `api://${applicationid}`,
    accessmode: 4,
    islicensed: false,
    windowsliveid: null,
    azureactivedirectoryobjectid: guidOf(`entra/${applicationid}`),
  }
}

function builtIn(name: string, id: string): Row {
  return {
    ...person(name, ''),
    systemuserid: id,
    azureactivedirectoryobjectid: null,
    accessmode: 3,
    setupuser: true,
    islicensed: false,
    internalemailaddress: name === 'SYSTEM' ? null : 'system@contoso.com',
    isintegrationuser: name === 'INTEGRATION',
  }
}

const names = ['Anna', 'Bruno', 'Carla', 'Dimitri', 'Elif', 'Farid', 'Greta', 'Hugo', 'Irina']
const families = ['Berger', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'Grimaldi', 'Horvath', 'Ivanova', 'Jensen']

function crowd(): readonly Row[] {
  return names.flatMap((name) =>
    families.map((family) => person(`${name} ${family}`, `${name}.${family}@contoso.com`.toLowerCase())),
  )
}
