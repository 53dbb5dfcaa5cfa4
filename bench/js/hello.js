// The worker that the host's functions are compared to: it greets by the header X-Name, as they do. END is what the
// function that it is compared to says after the name.
export default {
  fetch(request, env) {
    return new Response(`Hello, ${request.headers.get("X-Name") ?? "world"}${env.END}`);
  },
};
