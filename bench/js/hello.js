// The worker that the host's functions are compared to: it greets by the header X-Name, as they do. END is the text after
// the name in the greeting of the compared function.
export default {
  fetch(request, env) {
    return new Response(`Hello, ${request.headers.get("X-Name") ?? "world"}${env.END}`);
  },
};
