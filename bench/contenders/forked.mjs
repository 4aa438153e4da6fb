/** The baseline of a start: the first message of a bare fork. */
process.once('message', (message) => process.send?.(message, () => process.disconnect()));
process.send?.('ready');
