import type { Explanation } from './explanation.ts'

/**
 * Dataverse's codes for errors in the request itself, for any user.
 *
 * @see https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
 */
export const OF_REQUESTS: Readonly<Record<string, Explanation>> = {
  '0x80040217': {
    what: 'the row does not exist.',
    why: 'No row of the table has this id or key. It was deleted, or belongs to another table or environment.',
    todo: 'Read the table without the key, and compare the ids. Write If-Match: * on a PATCH that must not create.',
  },
  '0x80060891': {
    what: 'no row has these key values.',
    why: 'The alternate key exists, but no row with the values in the address.',
    todo: 'Compare the values with the row in Dynamics: letters, blanks, and the parts of the key in the address.',
  },
  '0x80060888': {
    what: 'the query cannot be carried out.',
    why: 'It names a property or a function that the table does not have, or its syntax is wrong.',
    todo: 'Compare the names with `$metadata`: properties in lower case, lookups as `_name_value`.',
  },
  '0x8006088a': {
    what: 'the name in the path does not exist.',
    why: 'The path names no entity set, function or navigation property. Entity sets are plural: accounts, not account.',
    todo: 'Look the name up in `$metadata`: the entity sets are at its end.',
  },
  '0x80048d19': {
    what: 'the body does not fit the table.',
    why: 'A property has another name or type, or the body is not well-formed JSON.',
    todo: 'Compare each property with `$metadata`; set lookups as `name@odata.bind`.',
  },
  '0x80040203': {
    what: 'a value is not accepted.',
    why: 'A parameter, or a value of the body, is missing or out of range.',
    todo: 'Read the message of the response: it names the parameter.',
  },
  '0x80044331': {
    what: 'a text is too long.',
    why: 'The column holds fewer characters than the value has.',
    todo: 'Shorten the value, or raise the maximum length of the column in Power Apps.',
  },
  '0x80060882': {
    what: 'the row has changed since it was read.',
    why: 'If-Match names an older version of the row.',
    todo: 'Read the row again, apply the change to it, and send it with the new @odata.etag.',
  },
  '0x80040237': {
    what: 'a row with this id or key exists.',
    why: 'The create, or If-None-Match: *, asks for a new row.',
    todo: 'Change the row that exists with a PATCH, or leave out the id.',
  },
  '0x80060892': {
    what: 'a row with these key values exists.',
    why: 'An alternate key of the table admits each combination of values once.',
    todo: 'Change the row that exists with a PATCH to its key, or send other values.',
  },
  '0x80040333': {
    what: 'the row is a duplicate.',
    why: 'A published duplicate detection rule matches a row that exists.',
    todo: 'Change the row that exists, or send MSCRM.SuppressDuplicateDetection: true.',
  },
  '0x80040265': {
    what: 'a plug-in refused the change.',
    why: 'A plug-in or real-time workflow of the environment threw an error. Its text is in the response.',
    todo: 'Ask the owner of the plug-in, with the request id at Dynamics; the plug-in trace log has the details.',
  },
  '0x80044150': {
    what: 'the database reported an error.',
    why: 'Two changes blocked each other, a query timed out, or a value is out of the range of its column.',
    todo: 'Send it again if that does no harm; if it lasts, ask for less at once, or look at the message.',
  },
  '0x80040216': {
    what: 'an unexpected error occurred in Dynamics.',
    why: 'Dynamics does not say more. Plug-ins that fail show as this, too.',
    todo: 'Send it again; if it lasts, give the request id at Dynamics to Microsoft support.',
  },
}
