/** A service that gives back what it gets. Plain JavaScript: taking types away would be most of its start. */
export default (request) => request;
