/**
 * A page of rows like those of Dataverse, of about `size` bytes: links that must change at its beginning and end,
 * data in between.
 */
export function pageOf(root: string, entitySet: string, size: number): string {
  const context = `${root}/$metadata#${entitySet}(name,revenue)`
  const next =
    size < 5000 ? undefined : `${root}/${entitySet}?$select=name&$skiptoken=%3Ccookie%20pagenumber=%222%22%20/%3E`
  const rows: object[] = []
  const page = (): string =>
    JSON.stringify({
      '@odata.context': context,
      value: rows,
      ...(next === undefined ? {} : { '@odata.nextLink': next }),
    })
  const row = JSON.stringify(rowOf(100_000)).length + 1
  const count = Math.max(1, Math.floor((size - page().length) / row))
  for (let index = 0; index < count; index++) rows.push(rowOf(100_000 + index))
  return page()
}

function rowOf(index: number): object {
  return {
    '@odata.etag': `W/"${index}"`,
    accountid: `00000000-0000-0000-0000-000000${index}`,
    name: `Fabrikam ${index}`,
    statecode: 0,
    'statecode@OData.Community.Display.V1.FormattedValue': 'Active',
    revenue: 1200,
    createdon: '2026-01-02T15:04:05Z',
    _ownerid_value: '00000000-0000-0000-0000-000000000002',
    websiteurl: 'https://fabrikam.example/',
  }
}
