import { group } from '../setting.ts'
import { duration, flag, list, matching, size } from '../values.ts'

/** The memory of all targets together. */
export const cacheMemory = size({
  description: 'The memory for responses that are kept, of all targets together. `0B`: nothing is kept.',
  env: 'CACHE_MEMORY',
  fallback: '64MiB',
})

/** What is answered from memory, of one target. */
export const targetCaching = {
  schemaCache: duration({
    description:
      'How stale `$metadata` and the definitions of tables, relationships and choices from memory may be, counted from ' +
      'the last proof that nothing changed. `0s`: they are not kept.',
    env: 'SCHEMA_CACHE',
    fallback: '60s',
  }),
  reads: group(
    'The rows that are answered from memory. Without `shared`, each user gets only their own earlier responses.',
    {
      revalidate: flag({
        description:
          'Rows that are read by key are remembered with their ETag. Dynamics is still asked each time, and answers 304 ' +
          'in place of the row if nothing changed.',
        fallback: false,
      }),
      keep: {
        type: 'array',
        description: 'Entity sets whose rows hardly change, and how long they are answered from memory.',
        items: group('Entity sets that are kept for the same time.', {
          entitySets: list(
            {
              description: 'Names of entity sets, such as `transactioncurrencies`.',
              required: true,
              hint: 'names of entity sets',
            },
            matching(
              /^[a-z_]\w*$/i,
              'holds something that is not the name of an entity set: write transactioncurrencies.',
            ),
          ),
          for: duration({
            description: 'How old they may be.',
            fallback: '10m',
            minimum: 1000,
          }),
          shared: flag({
            description:
              'All users get the response to the first of them. Only for entity sets of which everybody may read every ' +
              'row and every column.',
            fallback: false,
          }),
        }),
      },
    },
  ),
}
