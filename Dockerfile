# One static binary, and nothing else: no shell, no package, no user to become.

FROM rust:1.95-alpine AS build
WORKDIR /src
COPY . .
# Alpine's target is musl, which links statically.
RUN cargo build --release --locked --bin waxseal

FROM scratch
COPY --from=build /src/target/release/waxseal /waxseal
USER 65534:65534
# A list, not a line: there is no shell to read it.
ENTRYPOINT ["/waxseal"]
CMD ["serve"]
