"""Permissions on a broker: CreateAcls and DeleteAcls of Kafka's protocol, which librdkafka 2.0 knows only in part.

An ACL is written OPERATION:TYPE:NAME, a NAME that ends with * is a prefix: "Read:topic:events", "Write:transactional-id:a-*".
"""

import socket
import struct

CREATE, DELETE = 30, 31  # API keys; version 1 of each
TYPES = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "IdempotentWrite": 12}
LITERAL, PREFIXED, ALLOW = 3, 4, 3


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def encode(principal, acl, with_host="*"):
    operation, kind, name = acl.split(":", 2)
    pattern = PREFIXED if name.endswith("*") else LITERAL
    return (struct.pack(">b", TYPES[kind]) + text(name.removesuffix("*")) + struct.pack(">b", pattern) +
            text(principal) + text(with_host) + struct.pack(">bb", OPERATIONS[operation], ALLOW))


def ask(port, key, acls, principal):
    """Sends one request, on a connection that may do anything, and raises unless every answer is good."""
    body = struct.pack(">i", len(acls)) + b"".join(encode(principal, acl) for acl in acls)
    request = struct.pack(">hhi", key, 1, 7) + text("kafka_acls.py") + body
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(10)
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = receive(connection, struct.unpack(">i", receive(connection, 4))[0])
    position, (count,) = 12, struct.unpack(">i", answer[8:12])  # after correlation id and throttle time
    for _ in range(count):
        error, size = struct.unpack(">hh", answer[position:position + 4])
        if error:
            raise AssertionError(f"the broker refuses {acls}: error {error}, "
                                 f"{answer[position + 4:position + 4 + max(size, 0)].decode()}")
        if key == DELETE:
            return  # what was deleted follows
        position += 4 + max(size, 0)


def receive(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise AssertionError("the broker hung up")
        data += piece
    return data


def allow(port, principal, *acls):
    ask(port, CREATE, acls, principal)


def forbid(port, principal, *acls):
    for acl in acls:
        ask(port, DELETE, [acl], principal)
