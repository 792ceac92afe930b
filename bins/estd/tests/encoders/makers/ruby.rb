# A certification request by Ruby, with both attributes that ask for extensions, as puppet makes it. Prints PEM.
require 'openssl'

key = OpenSSL::PKey::EC.generate('prime256v1')
request = OpenSSL::X509::Request.new
request.version = 0
request.subject = OpenSSL::X509::Name.new([['O', 'Example'], ['CN', 'ruby']])
request.public_key = key
factory = OpenSSL::X509::ExtensionFactory.new
extensions = [
  factory.create_extension('subjectAltName', 'DNS:ruby.example.org'),
  factory.create_extension('keyUsage', 'digitalSignature', true)
]
values = OpenSSL::ASN1::Set([OpenSSL::ASN1::Sequence(extensions)])
request.add_attribute(OpenSSL::X509::Attribute.new('extReq', values))
request.add_attribute(OpenSSL::X509::Attribute.new('msExtReq', values))
request.sign(key, OpenSSL::Digest.new('SHA256'))
puts request.to_pem
